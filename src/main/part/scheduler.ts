/** The scheduler: it sees the API only, so it works with any API server. */
import { kubeconfig } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';
import { schedulerFlags } from './upstream-flags.ts';

export const scheduler: Part = definePart({
  name: 'scheduler',
  flags: { kubeconfig, ...schedulerFlags },
  async config(read, setting) {
    const { partClient } = await import('./part-client.ts');
    return { client: await partClient('scheduler', read, setting) };
  },
  async start({ client }, { informers: pool, clock, log, signal }) {
    const { startScheduler } = await import('../../scheduler/scheduler.ts');
    const { endClient } = await import('./part-client.ts');
    const informers = pool.open(client, { clock, log, shares: 'all', signal });
    const running = Promise.all([informers.start(signal), startScheduler({ client, informers, clock, log, signal })]);
    return { stopped: endClient(client, running, { clock, signal }) };
  },
});
