/**
 * What an evaluation may cost. The units are upstream's, roughly: one for each step, and one for every ten characters or every value that a step
 * touches (k8s.io/apiserver/pkg/apis/cel/config.go). There is one thread, and who may create a definition shall not hold it.
 */

/** Of all rules of an object upstream allows ten million; here, a unit takes longer. */
export const costLimits = { perRule: 1_000_000, perObject: 4_000_000 } as const;

/** The limit of one rule is used up. */
export class CostError extends Error {
  override readonly name = 'CostError';

  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/** What a rule says when it cannot be evaluated: `no such key: x`. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

/** Of the rule that is evaluated now: evaluations are synchronous, so there is one at a time. */
let left = 0;

export function charge(units: number): void {
  left -= units;
  if (left < 0) throw new CostError();
}

export function chargeText(...texts: readonly string[]): void {
  for (const text of texts) charge(text.length / 10);
}

/** For an error that is caught: its message shows where in the rule it came from. */
let perError = 0;

export function chargeError(): void {
  charge(perError);
}

export interface Metered<T> {
  readonly cost: number;
  readonly value?: T;
  readonly error?: unknown;
}

/** What it gave or threw, and what it cost. `length` is that of the rule. One within another has a limit of its own, and costs the outer nothing. */
export function metered<T>(limit: number, length: number, evaluate: () => T): Metered<T> {
  const outer = { left, perError };
  left = limit;
  perError = 50 + length / 5;
  const { stackTraceLimit } = Error;
  // Where in our own code a rule failed tells nobody anything.
  Error.stackTraceLimit = 0;
  try {
    const value = evaluate();
    return { cost: limit - left, value };
  } catch (error) {
    return { cost: Math.min(limit, limit - left), error };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    ({ left, perError } = outer);
  }
}
