import { type CelNode, celPackage, type Macro } from '../cel.ts';
import { RuleError } from '../meter.ts';
import { DeclaredObject } from '../values.ts';

/** Whether a field is there: of whatever has fields, where the package's asks for a variable. */
export function ownHas(select: CelNode): Macro {
  const [of, name] = select.args as [CelNode, string];
  return {
    typeCheck(checker, _macro, context) {
      if (select.op !== '.') throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', select);
      checker.check(select, context);
      return checker.getType('bool');
    },
    evaluate(evaluator, _macro, context) {
      const { Optional } = celPackage();
      let value = evaluator.run(of, context);
      if (value instanceof Optional) {
        if (!value.hasValue()) return false;
        value = value.value();
      }
      if (value instanceof DeclaredObject) return value.get(name) !== undefined;
      if (value instanceof Map) return value.has(name);
      if (Array.isArray(value)) throw new RuleError('no such overload');
      // As cel-go: nothing is in what has no fields, null among them.
      return false;
    },
  };
}
