/**
 * Writes into aggregated ClusterRoles (`admin`, `edit`, `view`) the rules of those they gather. Authorization does not need it, it gathers
 * by itself; people and programs that read the roles do.
 */
import { isDeepStrictEqual } from 'node:util';
import { clusterRoles } from '../../api/resource-types.ts';
import type { ClusterRole } from '../../api/schema/types.ts';
import { onAbort } from '../../clock/aborted.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { RbacIndex } from '../auth/rbac-index.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import { isStatusError } from '../status/status-error.ts';
import { type Background, type EnsureDeps, ownWrite } from './ensure.ts';

/** Roles come in groups, as when a chart is installed. */
const settleMs = 200;

interface AggregatedRolesContext extends Background {
  /** Of clusterroles. */
  readonly cache: ResourceCache;
  readonly lookup: Lookup;
  readonly rbac: RbacIndex;
}

/** Until the signal aborts. */
export async function keepAggregatedRoles(deps: EnsureDeps, context: AggregatedRolesContext): Promise<void> {
  const { cache, clock, log, signal } = context;
  let wake: () => void = () => {};
  let changed = true;
  const note = (): void => {
    changed = true;
    wake();
  };
  cache.listen({ onEvents: note, onReset: note });
  onAbort(signal, () => wake());
  while (!signal.aborted) {
    if (!changed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    await clock.sleep(settleMs, signal).catch(() => {});
    if (signal.aborted) return;
    changed = false;
    await writeRules(deps, context).catch((err: unknown) => log.warn('cannot gather the rules of ClusterRoles', { error: messageOf(err) }));
  }
}

async function writeRules({ objects, writer }: EnsureDeps, { lookup, rbac }: AggregatedRolesContext): Promise<void> {
  const row = objects.registry.rowFor(clusterRoles);
  for (const role of lookup.list(clusterRoles)) {
    if (!role.aggregationRule) continue;
    const rules = rbac.aggregatedRules(role);
    if (isDeepStrictEqual(rules, role.rules ?? [])) continue;
    const { name } = role.metadata;
    await writer
      .update({ row, namespace: '', name }, (current) => ({ ...(current as ClusterRole), rules: structuredClone(rules) }), ownWrite())
      .catch((err: unknown) => {
        if (!isStatusError(err, 'NotFound')) throw err;
      });
  }
}
