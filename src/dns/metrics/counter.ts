/** A Counter whose values are read when somebody asks for them: counting itself stays an addition. */
import { Counter, type Registry } from 'prom-client';

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
