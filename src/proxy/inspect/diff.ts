/** What a sync would change: the mode's own first sync, over a kernel that is read and not changed. */
import { FamilyProxy } from '../family.ts';
import type { ModeOptions } from '../mode/mode.ts';
import type { Change, ModeView } from '../mode/view.ts';
import type { NodeContext } from '../plan/node-context.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { ClusterView } from './cluster-view.ts';

/** In the network namespace of this process. Throws as syncs do when the kernel cannot be read. */
export async function pendingChanges(
  view: Pick<ModeView, 'dryRun'>,
  cluster: Pick<ClusterView, 'fill'>,
  contexts: Iterable<NodeContext>,
  options: ModeOptions = {},
): Promise<Change[]> {
  const { mode, changes } = view.dryRun(options);
  try {
    const plans: ServicePlan[] = [];
    for (const context of contexts) {
      const family = await FamilyProxy.open(mode, context);
      cluster.fill(family.planner);
      family.settle();
      await family.sync();
      plans.push(...family.planner.plans.values());
    }
    return changes(plans);
  } finally {
    mode.close();
  }
}

/** Changes under the names of their Services; those of no single Service come last. */
export function diffText(changes: readonly Change[]): string {
  const groups = Map.groupBy(changes, ({ service }) => service ?? '');
  const order = [...groups.keys()].sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  return order
    .map((key) => {
      const title = key === '' ? '# Rules that all Services share' : `# Service ${key}`;
      return `${[title, ...(groups.get(key) ?? []).map(({ text }) => text)].join('\n')}\n`;
    })
    .join('\n');
}
