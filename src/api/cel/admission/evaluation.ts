/** Expressions, evaluated one after the other within a limit for all of them. */
import { wordsOf } from '../evaluate.ts';
import { costLimits, metered } from '../meter.ts';
import type { Compiled } from './admission-compiler.ts';
import type { AdmissionValues } from './admission-values.ts';

/** Of all conditions of a webhook or policy, and of all else that a policy with one binding says of one object: four tenths of upstream's. */
export const admissionLimits = { conditions: 1_000_000, policy: 4_000_000, request: 12_000_000 } as const;

/** What all policies together may still cost a request. Upstream has no such limit; here, all wait in one thread. */
export interface Allowance {
  left: number;
}

export type Outcome = { readonly value: unknown } | { readonly error: string };

/** All that may be spent is spent: nothing is said of what would come next. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';

  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

export class Evaluation {
  readonly #values: AdmissionValues;
  readonly #all: Allowance;
  #left: number;

  constructor(values: AdmissionValues, limit: number, all: Allowance = { left: limit }) {
    this.#values = values;
    this.#left = limit;
    this.#all = all;
  }

  /** Throws BudgetError. */
  evaluate({ expression, program, problem }: Compiled): Outcome {
    if (!program) return { error: `compilation error: ${problem ?? ''}` };
    const { cost, value, error } = metered(costLimits.perRule, expression.length, () => program.run(this.#values));
    const spent = cost + this.#values.takeCost();
    if (spent > this.#left || spent > this.#all.left) throw new BudgetError();
    this.#left -= spent;
    this.#all.left -= spent;
    return error === undefined ? { value } : { error: `expression '${expression}' resulted in error: ${wordsOf(error)}` };
  }
}
