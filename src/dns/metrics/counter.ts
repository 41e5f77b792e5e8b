/** Counters whose values are read when somebody asks for them: counting itself stays an addition. */
import type { Registry } from 'prom-client';
import Counter from 'prom-client/lib/counter.js';

export type Labels = Readonly<Record<string, string>>;

/** `read` gives each set of labels with its sum; `labelNames` is for a counter that may have none yet. */
export function registerCounter(
  registry: Registry,
  name: string,
  help: string,
  read: () => Iterable<readonly [Labels, number]>,
  labelNames: readonly string[] = [...read()].flatMap(([labels]) => Object.keys(labels)),
): void {
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, n] of read()) this.inc(labels, n);
    },
  });
}

/** Sums by the values of labels: one map look-up per question. */
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
