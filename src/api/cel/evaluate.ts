/**
 * The walk over a syntax tree. The package's own costs nothing to whom it serves, and differs from cel-go where JavaScript does; so every node comes
 * through `run` here, which charges for it, and does the operations by itself that touch more than one value.
 */
import { type CelNode, celPackage, type Evaluator } from './cel.ts';
import { equal, keyIn } from './equal.ts';
import { methods, overrides } from './library/overrides.ts';
import { CostError, charge, chargeError, chargeText, RuleError } from './meter.ts';
import { optionalOf } from './optional.ts';
import { DeclaredObject, listKindOf, markList } from './values.ts';

type Operation = (evaluator: Evaluator, node: CelNode, context: unknown) => unknown;

/** Makes an evaluator of the package count. */
export function meter(evaluator: Evaluator): void {
  evaluator.run = (node, context) => run(evaluator, node, context);
  evaluator.tryEval = (node, context) => {
    try {
      return run(evaluator, node, context);
    } catch (err) {
      // The package goes on after errors: `true || error` is true. Not after this one.
      if (err instanceof CostError || err instanceof RangeError) throw err;
      chargeError();
      return err;
    }
  };
}

function run(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  charge(1);
  const { alternate, macro } = node.meta;
  if (alternate) return run(evaluator, alternate, context);
  if (macro) return macro.evaluate(evaluator, macro, context);
  const operation = operations.get(node.op);
  return operation ? operation(evaluator, node, context) : node.evaluate(evaluator, node, context);
}

function both(evaluator: Evaluator, { left, right }: CelNode, context: unknown): [unknown, unknown] {
  return [run(evaluator, left, context), run(evaluator, right, context)];
}

const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['==', (...args) => equal(...both(...args))],
  ['!=', (...args) => !equal(...both(...args))],
  ['in', isIn],
  ['+', add],
  ...['<', '<=', '>', '>='].map((op): [string, Operation] => [op, ordered]),
  ['call', call],
  ['rcall', method],
  ['map', newMap],
  ['.?', (evaluator, node, context) => optionalField(run(evaluator, node.left, context), (node.args as readonly unknown[])[1])],
  ['[?]', (...args) => optionalField(...both(...args))],
  ['comprehension', comprehension],
]);

function isIn(evaluator: Evaluator, node: CelNode, context: unknown): boolean {
  const [value, of] = both(evaluator, node, context);
  if (Array.isArray(of)) return of.some((one) => equal(value, one));
  if (of instanceof DeclaredObject) return typeof value === 'string' && of.get(value) !== undefined;
  if (of instanceof Map) return of.has(value);
  throw new RuleError('no such overload');
}

function add(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const [a, b] = both(evaluator, node, context);
  if (typeof a === 'string' && typeof b === 'string') {
    chargeText(a, b);
    return a + b;
  }
  if (Array.isArray(a) && Array.isArray(b)) return concat(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) charge((a.length + b.length) / 10);
  return node.handle(a, b, node, evaluator);
}

/** Of a set or a list with keys, what comes twice is there once: the later in the place of the earlier. */
function concat(a: readonly unknown[], b: readonly unknown[]): unknown[] {
  charge(a.length + b.length);
  const kind = listKindOf(a);
  if (!kind) return [...a, ...b];
  const places = new Map(a.map((one, i) => [keyIn(one, kind.keys), i]));
  const all = [...a];
  for (const one of b) {
    const key = keyIn(one, kind.keys);
    const place = places.get(key);
    if (place === undefined) {
      places.set(key, all.length);
      all.push(one);
    } else if (kind.type === 'map') all[place] = one;
  }
  markList(all, kind);
  return all;
}

function ordered(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const [a, b] = both(evaluator, node, context);
  if (typeof a === 'string' && typeof b === 'string') chargeText(a.length < b.length ? a : b);
  return node.handle(a, b, node, evaluator);
}

function call(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const [name, nodes] = node.args as [string, readonly CelNode[]];
  const args = nodes.map((one) => run(evaluator, one, context));
  for (const one of args) chargeArgument(name, one);
  const own = overrides.get(`${name}/${args.length}`)?.(args, nodes);
  return charged(own === undefined ? node.handle(args, node, evaluator) : own);
}

function method(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const [name] = node.args as [string];
  const args = node.receiverWithArgs.map((one) => run(evaluator, one, context));
  for (const one of args) chargeArgument(name, one);
  const own = methods.get(`${name}/${args.length - 1}`)?.(args, node.receiverWithArgs);
  return charged(own === undefined ? node.handle(args, evaluator, node) : own);
}

function chargeArgument(name: string, value: unknown): void {
  if (typeof value === 'string') chargeText(value);
  else if (value instanceof Uint8Array) charge(value.length / 10);
  else if (Array.isArray(value) && name !== 'size') charge(value.length);
}

function charged(value: unknown): unknown {
  if (typeof value === 'string') chargeText(value);
  else if (value instanceof Uint8Array) charge(value.length / 10);
  else if (Array.isArray(value)) charge(value.length);
  return value;
}

/** The package makes an error of what is not there, to catch it. */
function optionalField(of: unknown, key: unknown): unknown {
  const { Optional } = celPackage();
  if (of instanceof Optional) return of.hasValue() ? optionalField(of.value(), key) : of;
  if (of instanceof Map) return optionalOf((of as ReadonlyMap<unknown, unknown>).get(key));
  if (!Array.isArray(of)) return optionalOf(undefined);
  if (typeof key === 'string') throw new RuleError('no such overload');
  return optionalOf(of[Number(key)]);
}

/** The package's are objects of JavaScript, whose names are texts alone. */
function newMap(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const made = new Map<unknown, unknown>();
  for (const [key, value] of node.args as readonly [CelNode, CelNode][]) {
    const name = run(evaluator, key, context);
    if (made.has(name)) throw new RuleError(`insert failed: key ${String(name)} already exists`);
    made.set(name, run(evaluator, value, context));
  }
  return made;
}

function comprehension(evaluator: Evaluator, node: CelNode, context: unknown): unknown {
  const args = node.args as { readonly iterable: CelNode };
  const of = run(evaluator, args.iterable, context);
  if (of instanceof Map) charge(of.size);
  return node.handle(of, node.args, evaluator, context);
}

/** In the words of cel-go, where it has some. */
export function wordsOf(err: unknown): string {
  if (err instanceof RangeError) return 'the rule is nested too deeply';
  if (err instanceof RuleError) return err.message;
  const { code, summary } = err as { code?: string; summary?: string };
  if (typeof summary !== 'string') return err instanceof Error ? err.message : String(err);
  switch (code) {
    case 'no_such_key':
      return summary.replace('No such key', 'no such key');
    case 'index_out_of_bounds':
      return `index out of bounds: ${/index (-?\d+)/.exec(summary)?.[1] ?? ''}`;
    case 'modulo_by_zero':
      return 'modulus by zero';
    case 'numeric_overflow':
      return 'integer overflow';
    case 'no_matching_overload':
    case 'no_such_overload':
      return 'no such overload';
    case 'optional_value_missing':
      return 'optional.none() dereference';
    default:
      return summary;
  }
}
