/** What a process of the control plane counts about itself, under upstream's names. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { PartProcess } from './part/part-process.ts';

export function metricsOf(process: Pick<PartProcess, 'leads'>): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'leader_election_master_status',
    help: 'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      for (const [name, leads] of process.leads()) this.set({ name }, leads ? 1 : 0);
    },
  });
  return registry;
}
