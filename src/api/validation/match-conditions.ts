/** `matchConditions` of webhooks and policies, and expressions of admission. */
import type { AdmissionCompiler, Names } from '../cel/admission/admission-compiler.ts';
import { loadRuleEngine } from '../cel/validation-rules.ts';
import type { MatchCondition } from '../schema/types.ts';
import { duplicate, eachOf, type FieldError, invalid, invalids, repeats, required, tooMany } from './field-error.ts';
import { isQualifiedName } from './names.ts';

const most = 64;

/** The compiler of one object, loaded with the first expression. */
export class Expressions {
  #compiler: AdmissionCompiler | undefined;

  get compiler(): AdmissionCompiler {
    this.#compiler ??= new (loadRuleEngine().AdmissionCompiler)();
    return this.#compiler;
  }

  errors(expression: string, path: string, names: Names, wanted: readonly string[]): FieldError[] {
    const { problem } = this.compiler.compile(expression, names, wanted);
    return problem === undefined ? [] : [invalid(path, expression, problem)];
  }
}

/** They name no variables of a policy. */
export function matchConditionErrors(conditions: readonly MatchCondition[] = [], path: string, params = false): FieldError[] {
  const isRepeated = repeats<string>();
  const expressions = new Expressions();
  return [
    ...(conditions.length > most ? [tooMany(path, conditions.length, most)] : []),
    ...eachOf(conditions, path, ({ name, expression = '' }, at) => [
      ...(expression.trim() === ''
        ? [required(`${at}.expression`)]
        : expressions.errors(expression.trim(), `${at}.expression`, { params, authorizer: true }, ['bool'])),
      ...(name ? invalids(`${at}.name`, name, isQualifiedName(name)) : [required(`${at}.name`)]),
      ...(name && isRepeated(name) ? [duplicate(`${at}.name`, name)] : []),
    ]),
  ];
}
