/** What a process of the control plane counts about itself, under upstream's names. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { PartProcess } from './part/part-process.ts';

export class ProcessMetrics {
  readonly #process: Pick<PartProcess, 'leads' | 'gauges'>;
  readonly #own = new Registry();

  constructor(process: Pick<PartProcess, 'leads' | 'gauges'>) {
    this.#process = process;
    collectDefaultMetrics({ register: this.#own });
    new Gauge({
      name: 'leader_election_master_status',
      help: 'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master.',
      labelNames: ['name'],
      registers: [this.#own],
      collect() {
        for (const [name, leads] of process.leads()) this.set({ name }, leads ? 1 : 0);
      },
    });
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  async text(): Promise<string> {
    return (await Promise.all([this.#own, this.#ofParts()].map((registry) => registry.metrics()))).join('');
  }

  /** Made anew each time: parts come and go, and so does what they count. */
  #ofParts(): Registry {
    const registry = new Registry();
    for (const { name, help, read } of this.#process.gauges()) {
      const samples = [...read()];
      const [first] = samples;
      if (first === undefined) continue;
      const labelNames = Object.keys(first.labels);
      const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
      for (const { labels, value } of samples) gauge.set(labels, value);
    }
    return registry;
  }
}
