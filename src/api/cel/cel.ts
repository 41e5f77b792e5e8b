/** The package cel-js, which parses and checks the language, and walks its syntax tree; and what it hands to those that it calls. */
import * as celJs from '@marcbachmann/cel-js';

export function celPackage(): typeof celJs {
  return celJs;
}

/** A type as the package declares it: of values, or of a variable. */
export interface CelType {
  readonly kind: string;
  readonly name: string;
  readonly type: string;
  readonly valueType?: CelType;
  readonly hasDynType: boolean;
}

/** A node of a syntax tree. What it holds depends on its `op`. */
export interface CelNode {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { macro?: Macro; alternate?: CelNode };
  readonly checkedType?: CelType;
  readonly left: CelNode;
  readonly right: CelNode;
  readonly receiverWithArgs: readonly CelNode[];
  readonly candidates?: { readonly declarations: readonly unknown[] };
  readonly handle: (...args: unknown[]) => unknown;
  evaluate(evaluator: Evaluator, node: CelNode, context: unknown): unknown;
  setMeta(key: string, value: unknown): CelNode;
}

/** A type with fields. */
export interface ObjectType {
  readonly ctor: unknown;
  readonly fields: Record<string, CelType>;
}

export interface Checker {
  /** Of the environment alone. */
  readonly objectTypes: Map<string, ObjectType>;
  readonly objectTypesByConstructor: Map<unknown, ObjectType>;
  check(node: CelNode, context: unknown): CelType;
  getType(name: string): CelType;
  createError(code: string, message: string, node: CelNode): Error;
}

/** What walks a tree: every node is evaluated by its `run`, which is replaced for what it costs to be counted. */
export interface Evaluator {
  run(node: CelNode, context: unknown): unknown;
  tryEval(node: CelNode, context: unknown): unknown;
}

/** What stands for a call that is no function: it looks at its arguments unevaluated. */
export interface Macro {
  typeCheck(checker: Checker, macro: Macro, context: unknown): CelType;
  evaluate(evaluator: Evaluator, macro: Macro, context: unknown): unknown;
  [more: string]: unknown;
}
