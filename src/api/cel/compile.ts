/** Expressions, parsed and checked against the types that a schema declares. */

import type { Environment } from '@marcbachmann/cel-js';
import { patternProblem, patternSize } from '../custom/pattern.ts';
import type { CelNode, CelType, Checker, Evaluator, Macro } from './cel.ts';
import { Declarations } from './declare.ts';
import { createEnvironment } from './environment.ts';
import { meter, wordsOf } from './evaluate.ts';
import { ownHas } from './library/has.ts';
import { forgets } from './library/names.ts';
import { metered } from './meter.ts';

/** The variables of an expression, by their types. */
export type Variables = Readonly<Record<string, CelType>>;

/** What they are; only those that the expression names are asked for. */
export type Values = Readonly<Record<string, unknown>>;

interface RootContext {
  getVariable(name: string): unknown;
  getCheckedValue(evaluator: unknown, node: CelNode): unknown;
}

type ContextClass = new (registry: unknown, values: Values) => RootContext;

/** An expression that can be evaluated. */
export interface Program {
  /** What it gives. */
  readonly type: CelType;
  /** Whether it names the variable. */
  uses(variable: string): boolean;
  /** Throws what `wordsOf` has words for, and CostError. */
  run(values: Values): unknown;
}

/** It is not of the language, or gives a value of another type. */
export type CompileProblem = { readonly problem: string } | { readonly returns: string };

/** Of all rules of a version together. Compiling them takes a second at most. */
const mostText = 300_000;
const mostPatternSize = 2_000_000;
const int64 = 2n ** 63n;

/** Compiles the expressions of one version, whose objects have the same types. */
export class Compiler {
  readonly declarations: Declarations;
  readonly #environment: Environment;
  readonly #checker: Checker;
  readonly #evaluator: Evaluator & { readonly registry: unknown };
  readonly #Context: ContextClass;
  #text = 0;
  #patternSize = 0;

  /** Of an environment in which types are declared already, those of a schema cannot be added. */
  constructor(environment: Environment = createEnvironment()) {
    this.#environment = environment;
    this.declarations = new Declarations(environment);
    // What the package keeps to itself is taken where it hands it to the nodes of a tree.
    const parsed = this.#environment.parse('true');
    const node = parsed.ast as unknown as { check: unknown; evaluate: unknown };
    let checker: Checker | undefined;
    let evaluator: unknown;
    let Context: unknown;
    node.check = (one: Checker) => {
      checker = one;
      return one.getType('bool');
    };
    node.evaluate = (one: unknown, _node: unknown, context: object) => {
      evaluator = one;
      Context = context.constructor;
      return true;
    };
    parsed.check();
    parsed({});
    this.#checker = checker as unknown as Checker;
    this.#evaluator = evaluator as Evaluator & { readonly registry: unknown };
    this.#Context = Context as ContextClass;
    meter(this.#evaluator);
  }

  type(name: string): CelType {
    return this.#checker.getType(name);
  }

  /** From now on the type has the fields alone that are added here. */
  openType(name: string): void {
    const { objectTypes, objectTypesByConstructor } = this.#checker;
    const declared = objectTypes.get(name);
    if (!declared) return;
    const open = { ...declared, fields: Object.create(null) as Record<string, CelType> };
    objectTypes.set(name, open);
    objectTypesByConstructor.set(open.ctor, open);
  }

  addField(of: string, name: string, type: string): void {
    const declared = this.#checker.objectTypes.get(of);
    if (declared) declared.fields[name] = this.type(type);
  }

  /** A program, or what is wrong with the expression. What it gives is one of the types in `wanted`, of any type where there are none. */
  compile(expression: string, variables: Variables, wanted: readonly string[]): Program | CompileProblem {
    this.#text += expression.length;
    if (this.#text > mostText) return { problem: 'the rules of the schema are too long together' };
    const registry = this.#evaluator.registry;
    const Context = contextOf(this.#Context, variables);
    try {
      const root = this.#environment.parse(expression).ast as unknown as CelNode;
      const names = this.#prepare(root);
      const type = this.#checker.check(root, new Context(registry, {}));
      checkLiterals(root);
      if (wanted.length > 0 && !wanted.includes(type.name)) return { returns: type.name };
      return {
        type,
        uses: (variable) => names.has(variable),
        run: (values) => this.#evaluator.run(root, new Context(registry, values)),
      };
    } catch (err) {
      return { problem: wordsOf(err) };
    }
  }

  /** Looks at what the package lets pass and cel-go does not. The names in the expression. */
  #prepare(root: CelNode): ReadonlySet<string> {
    const names = new Set<string>();
    for (const node of nodesOf(root)) {
      if (node.op === 'id') names.add(String(node.args));
      if (node.op === 'value' && typeof node.args === 'bigint' && (node.args >= int64 || node.args < -int64))
        throw new SyntaxError('invalid int literal');
      if (node.op === 'call' || node.op === 'rcall') this.#prepareCall(node);
    }
    return names;
  }

  #prepareCall(node: CelNode): void {
    const [name, ...rest] = node.args as [string, ...unknown[]];
    const args = rest.at(-1) as readonly CelNode[];
    const receiver = node.op === 'rcall' ? (rest[0] as CelNode) : undefined;
    const unknown = forgets(name, receiver);
    if (unknown !== undefined) throw new SyntaxError(unknown);
    if (!receiver && name === 'has' && args.length === 1) node.setMeta('macro', ownHas(args[0]!) as unknown as Macro);
    const literal = args[0]?.op === 'value' ? args[0].args : undefined;
    if (typeof literal !== 'string') return;
    if (receiver && ['matches', 'find', 'findAll'].includes(name)) this.#pattern(literal);
    if (!receiver && (name === 'duration' || name === 'timestamp')) {
      const { error } = metered(1_000, 0, () => this.#environment.evaluate(`${name}(${JSON.stringify(literal)})`));
      if (error !== undefined) throw new SyntaxError(`invalid ${name} argument`);
    }
  }

  #pattern(pattern: string): void {
    this.#patternSize += patternSize(pattern);
    if (this.#patternSize > mostPatternSize) throw new SyntaxError('the patterns of the rules are too large together');
    const problem = patternProblem(pattern);
    if (problem !== undefined) throw new SyntaxError(`invalid matches argument: ${problem}`);
  }
}

/** Contexts in which the package finds variables. */
function contextOf(Context: ContextClass, variables: Variables): ContextClass {
  const known = new Map(Object.entries(variables).map(([name, type]) => [name, { name, type }]));
  return class extends Context {
    readonly #values: Values;

    constructor(registry: unknown, values: Values) {
      super(registry, values);
      this.#values = values;
    }

    override getVariable(name: string): unknown {
      return known.get(name) ?? super.getVariable(name);
    }

    /** The package holds a value to its type; here, who gives values knows, and any of them may be null. */
    override getCheckedValue(evaluator: unknown, node: CelNode): unknown {
      const name = String(node.args);
      return known.has(name) ? this.#values[name] : super.getCheckedValue(evaluator, node);
    }
  };
}

/** The entries of a list or map that is written out are of one type, but for what is formatted. */
function checkLiterals(root: CelNode): void {
  const formatted = new Set<CelNode>();
  for (const node of nodesOf(root)) {
    if (node.op === 'rcall' && (node.args as readonly unknown[])[0] === 'format')
      for (const inner of nodesOf((node.args as readonly unknown[])[2])) formatted.add(inner);
    if (formatted.has(node)) continue;
    if (node.op === 'list') sameType(node.args as readonly CelNode[]);
    if (node.op === 'map') {
      const pairs = node.args as readonly (readonly [CelNode, CelNode])[];
      sameType(pairs.map(([key]) => key));
      sameType(pairs.map(([, value]) => value));
    }
  }
}

function sameType(nodes: readonly CelNode[]): void {
  const types = nodes.flatMap(({ checkedType }) =>
    checkedType && !checkedType.hasDynType && !checkedType.name.includes('<') ? [checkedType] : [],
  );
  const other = types.find(({ name }) => name !== types[0]?.name);
  if (other) throw new SyntaxError(`expected type '${types[0]?.name}' but found '${other.name}'`);
}

/** Every node below, and those that stand for macros. */
function* nodesOf(root: unknown): Generator<CelNode> {
  const stack: unknown[] = [root];
  const seen = new Set<unknown>();
  while (stack.length > 0) {
    const one = stack.pop();
    if (typeof one !== 'object' || one === null || seen.has(one)) continue;
    seen.add(one);
    if (Array.isArray(one)) stack.push(...one);
    else if ('op' in one && 'meta' in one) {
      const node = one as CelNode;
      yield node;
      stack.push(node.args, node.meta.alternate, node.meta.macro);
    } else if (one.constructor === Object) for (const inner of Object.values(one)) stack.push(inner);
  }
}
