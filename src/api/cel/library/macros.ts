/** Comprehensions with two variables, `sortBy`, and what optional values have of such: macros, as they evaluate an argument many times. */
import type { Environment } from '@marcbachmann/cel-js';
import { type CelNode, type CelType, type Checker, celPackage, type Evaluator, type Macro } from '../cel.ts';
import { charge, RuleError } from '../meter.ts';
import { optionalOf } from '../optional.ts';
import { DeclaredObject } from '../values.ts';
import { compare } from './lists.ts';

/** What the package keeps variables in. */
interface Scope {
  forkWithVariable(name: string, type: CelType): Scope;
  reuse(parent: unknown): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
}

interface Expansion {
  readonly args: readonly CelNode[];
  readonly receiver: CelNode;
}

function nameIn(node: CelNode | undefined): string {
  if (node?.op !== 'id') throw new SyntaxError('argument must be a simple name');
  return String(node.args);
}

/** A list has its entries by their numbers, a map by their keys. */
function pairsOf(value: unknown): (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((one, i) => [BigInt(i), one] as const);
  if (value instanceof Map && !(value instanceof DeclaredObject)) return [...value];
  throw new RuleError('no such overload');
}

/** Two variables, and the parts that are evaluated with both of them. */
class Loop {
  readonly #of: CelNode;
  readonly #names: readonly [string, string];
  #outer: Scope | undefined;
  #inner: Scope | undefined;

  constructor(of: CelNode, names: readonly [string, string]) {
    this.#of = of;
    this.#names = names;
  }

  /** Checks what is walked, and gives the scope of the parts. */
  check(checker: Checker, context: unknown): Scope {
    const type = checker.check(this.#of, context) as CelType & { readonly keyType?: CelType };
    const isList = type.kind === 'list';
    if (!isList && type.kind !== 'map' && type.kind !== 'dyn')
      throw new SyntaxError(`expression of type '${type.name}' cannot be range of a comprehension`);
    const dyn = checker.getType('dyn');
    this.#outer = (context as Scope).forkWithVariable(this.#names[0], isList ? checker.getType('int') : (type.keyType ?? dyn));
    this.#inner = this.#outer.forkWithVariable(this.#names[1], type.valueType ?? dyn);
    return this.#inner;
  }

  *steps(evaluator: Evaluator, context: unknown): Generator<{ readonly scope: Scope; readonly key: unknown }> {
    const pairs = pairsOf(evaluator.run(this.#of, context));
    charge(pairs.length);
    for (const [key, value] of pairs) {
      const outer = (this.#outer as Scope).reuse(context).setIterValue(key, evaluator);
      yield { scope: (this.#inner as Scope).reuse(outer).setIterValue(value, evaluator), key };
    }
  }
}

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new RuleError('no such overload');
  return value;
}

function ended(steps: Iterable<{ readonly scope: Scope }>, ends: boolean, ask: (scope: Scope) => unknown): boolean {
  let failed: unknown;
  for (const { scope } of steps) {
    const found = ask(scope);
    if (found === ends) return ends;
    if (found !== !ends) failed ??= found instanceof Error ? found : new RuleError('no such overload');
  }
  if (failed !== undefined) throw failed;
  return !ends;
}

/** One with a predicate of both variables, that is true or false of all steps together. */
function quantifier(
  decide: (loop: Loop, predicate: CelNode, evaluator: Evaluator, context: unknown) => boolean,
): (expansion: Expansion) => Macro {
  return ({ args, receiver }) => {
    const loop = new Loop(receiver, [nameIn(args[0]), nameIn(args[1])]);
    const predicate = args[2] as CelNode;
    return {
      predicate,
      receiver,
      async: false,
      typeCheck(checker, _macro, context) {
        checker.check(predicate, loop.check(checker, context));
        return checker.getType('bool');
      },
      evaluate: (evaluator, _macro, context) => decide(loop, predicate, evaluator, context),
    };
  };
}

/** `all` ends with the first false, `exists` with the first true; errors count only where there is none such. */
function untilFirst(ends: boolean): (expansion: Expansion) => Macro {
  return quantifier((loop, predicate, evaluator, context) =>
    ended(loop.steps(evaluator, context), ends, (scope) => evaluator.tryEval(predicate, scope)),
  );
}

const existsOne: (expansion: Expansion) => Macro = quantifier((loop, predicate, evaluator, context) => {
  let count = 0;
  for (const { scope } of loop.steps(evaluator, context)) if (truth(evaluator.run(predicate, scope))) count++;
  return count === 1;
});

type Gather = 'list' | 'map' | 'entries';

function transform(into: Gather): (expansion: Expansion) => Macro {
  return ({ args, receiver }) => {
    const loop = new Loop(receiver, [nameIn(args[0]), nameIn(args[1])]);
    const filter = args.length === 4 ? args[2] : undefined;
    const made = args.at(-1) as CelNode;
    return {
      receiver,
      filter,
      made,
      async: false,
      typeCheck(checker, _macro, context) {
        const scope = loop.check(checker, context);
        if (filter) checker.check(filter, scope);
        const type = checker.check(made, scope);
        return checker.getType(into === 'list' ? `list<${type.name}>` : into === 'map' ? `map<dyn, ${type.name}>` : 'map');
      },
      evaluate(evaluator, _macro, context) {
        const gathered = new Gathered(into);
        for (const { scope, key } of loop.steps(evaluator, context))
          if (!filter || truth(evaluator.run(filter, scope))) gathered.add(key, evaluator.run(made, scope));
        return gathered.value;
      },
    };
  };
}

class Gathered {
  readonly #into: Gather;
  readonly #list: unknown[] = [];
  readonly #map = new Map<unknown, unknown>();

  constructor(into: Gather) {
    this.#into = into;
  }

  get value(): unknown {
    return this.#into === 'list' ? this.#list : this.#map;
  }

  add(key: unknown, value: unknown): void {
    if (this.#into === 'list') this.#list.push(value);
    else if (this.#into === 'map') this.#map.set(key, value);
    else for (const [name, one] of value instanceof Map ? value : []) this.#insert(name, one);
  }

  #insert(key: unknown, value: unknown): void {
    charge(1);
    if (this.#map.has(key)) throw new RuleError(`insert failed: key ${String(key)} already exists`);
    this.#map.set(key, value);
  }
}

function sortBy({ args, receiver }: Expansion): Macro {
  const name = nameIn(args[0]);
  const key = args[1] as CelNode;
  let inner: Scope | undefined;
  return {
    receiver,
    key,
    async: false,
    typeCheck(checker, _macro, context) {
      const type = checker.check(receiver, context);
      inner = (context as Scope).forkWithVariable(name, type.valueType ?? checker.getType('dyn'));
      checker.check(key, inner);
      return type;
    },
    evaluate(evaluator, _macro, context) {
      const list = evaluator.run(receiver, context);
      if (!Array.isArray(list)) throw new RuleError('no such overload');
      const keyed = list.map((one: unknown) => ({
        one,
        by: evaluator.run(key, (inner as Scope).reuse(context).setIterValue(one, evaluator)),
      }));
      return keyed.toSorted((a, b) => compare(a.by, b.by)).map(({ one }) => one);
    },
  };
}

/** `x.optMap(v, v + 1)`; the flat one's expression is an optional value itself. */
function optionalMap(isFlat: boolean): (expansion: Expansion) => Macro {
  return ({ args, receiver }) => {
    const name = nameIn(args[0]);
    const made = args[1] as CelNode;
    let inner: Scope | undefined;
    return {
      receiver,
      made,
      async: false,
      typeCheck(checker, _macro, context) {
        const type = checker.check(receiver, context);
        if (type.kind !== 'optional' && type.kind !== 'dyn')
          throw new SyntaxError(`found no matching overload for optMap of '${type.name}'`);
        inner = (context as Scope).forkWithVariable(name, type.valueType ?? checker.getType('dyn'));
        const result = checker.check(made, inner);
        return isFlat ? result : checker.getType(`optional<${result.name}>`);
      },
      evaluate(evaluator, _macro, context) {
        const value = evaluator.run(receiver, context);
        if (!(value instanceof celPackage().Optional)) throw new RuleError('no such overload');
        if (!value.hasValue()) return value;
        const result = evaluator.run(made, (inner as Scope).reuse(context).setIterValue(value.value(), evaluator));
        return isFlat ? result : optionalOf(result);
      },
    };
  };
}

export function registerMacros(environment: Environment): void {
  const add = (signature: string, expand: (expansion: Expansion) => Macro): void => {
    environment.registerFunction(signature, expand as never);
  };
  add('list.all(ast, ast, ast): bool', untilFirst(false));
  add('list.exists(ast, ast, ast): bool', untilFirst(true));
  add('list.exists_one(ast, ast, ast): bool', existsOne);
  add('list.existsOne(ast, ast, ast): bool', existsOne);
  add('list.transformList(ast, ast, ast): list<dyn>', transform('list'));
  add('list.transformList(ast, ast, ast, ast): list<dyn>', transform('list'));
  add('list.transformMap(ast, ast, ast): map<dyn, dyn>', transform('map'));
  add('list.transformMap(ast, ast, ast, ast): map<dyn, dyn>', transform('map'));
  add('list.transformMapEntry(ast, ast, ast): map<dyn, dyn>', transform('entries'));
  add('list.transformMapEntry(ast, ast, ast, ast): map<dyn, dyn>', transform('entries'));
  add('list.sortBy(ast, ast): list<dyn>', sortBy);
  add('optional.optMap(ast, ast): optional<dyn>', optionalMap(false));
  add('optional.optFlatMap(ast, ast): optional<dyn>', optionalMap(true));
  environment.registerFunction(
    'OptionalNamespace.ofNonZeroValue(A): optional<A>',
    ((_: unknown, value: unknown) => optionalOf(isZero(value) ? undefined : value)) as never,
    { async: false } as never,
  );
}

function isZero(value: unknown): boolean {
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value === null || value === '' || value === false || value === 0 || value === 0n;
}
