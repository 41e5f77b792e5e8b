/** The scheduler: it sees the API only, so it works with any API server. */
import { textFlag } from '../../cli/command.ts';
import { kubeconfig } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';
import { schedulerFlags } from './upstream-flags.ts';

export const scheduler: Part = definePart({
  name: 'scheduler',
  flags: {
    kubeconfig,
    config: {
      ...textFlag(
        'FILE',
        'a KubeSchedulerConfiguration: profiles, plugins and their weights, leader election; flags of that that are given win',
      ),
      among: { name: 'scheduler-config', help: "the scheduler's profiles, plugins and their weights: a KubeSchedulerConfiguration" },
    },
    ...schedulerFlags,
  },
  async config(read, setting) {
    const [{ partClient }, { schedulingOf }] = await Promise.all([import('./part-client.ts'), import('./scheduler-configuration.ts')]);
    const { idle, ...scheduling } = await schedulingOf(read.optional('config'), setting.parts.length === 1);
    return { client: await partClient('scheduler', read, setting), idle, scheduling };
  },
  async start({ client, idle, scheduling }, { informers: pool, clock, log, signal }) {
    const { startScheduler } = await import('../../scheduler/scheduler.ts');
    const { endClient } = await import('./part-client.ts');
    for (const line of idle) log.info(line);
    const informers = pool.open(client, { clock, log, shares: 'all', signal });
    const running = Promise.all([informers.start(signal), startScheduler({ ...scheduling, client, informers, clock, log, signal })]);
    return { stopped: endClient(client, running, { clock, signal }) };
  },
});
