/** Sums by the values of labels: one map look-up per question. */
import type { Registry } from 'prom-client';
import { type Labels, registerCounter } from './counter.ts';

export class Tally {
  readonly #labelNames: readonly string[];
  readonly #sums = new Map<string, { readonly values: readonly string[]; n: number }>();

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    this.#labelNames = labelNames;
    registerCounter(registry, name, help, () => this.#read(), labelNames);
  }

  add(...values: readonly string[]): void {
    const key = values.join('|');
    const sum = this.#sums.get(key);
    if (sum) sum.n++;
    else this.#sums.set(key, { values, n: 1 });
  }

  *#read(): Iterable<readonly [Labels, number]> {
    for (const { values, n } of this.#sums.values())
      yield [Object.fromEntries(this.#labelNames.map((label, i) => [label, values[i] ?? ''])), n];
  }
}
