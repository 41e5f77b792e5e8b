/** `pods/eviction`: a deletion that a PodDisruptionBudget may refuse. What `kubectl drain` does. */

import { rowOf } from '../../api/registry/registry.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { podDisruptionBudgets } from '../../api/resource-types.ts';
import type { DeleteOptions, Eviction, Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Lookup } from '../cache/lookup.ts';
import { decodeObject } from '../http/body.ts';
import { sendJson } from '../http/reply.ts';
import { checkDeleteOptions, timeText } from '../resource/delete.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import { type ResourceHandlers, writeContextOf } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { badRequest, internalError, methodNotAllowed, success, tooManyRequests } from '../status/status-error.ts';

export interface EvictionDeps {
  readonly resources: ResourceHandlers;
  readonly objects: ObjectStore;
  readonly lookup: Lookup;
  readonly clock: Clock;
}

export function evictionHandler(deps: EvictionDeps): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'create') throw methodNotAllowed();
    const { namespace, name } = ctx.info;
    const asked = decodeObject(ctx, { apiVersion: 'policy/v1', kind: 'Eviction', schema: 'Eviction' }) as Eviction;
    if (asked.metadata.name && asked.metadata.name !== name) {
      throw badRequest(`name in URL does not match name in Eviction object: ${name} != ${asked.metadata.name}`);
    }
    const options: DeleteOptions = asked.deleteOptions ?? {};
    checkDeleteOptions(options);
    const context = writeContextOf(ctx, [...(options.dryRun ?? []), ...ctx.query.getAll('dryRun')]);
    const pod = (await deps.resources.read(row, namespace, name)) as Pod;
    if (pod.metadata.deletionTimestamp === undefined && counts(pod)) await spendBudget(deps, pod, context.dryRun);
    await deps.resources.deleteObject(row, namespace, name, options, context);
    sendJson(ctx, 201, success());
  };
}

/** A pod that has ended, or has not begun, serves nobody: no budget speaks for it. */
function counts({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed' && status?.phase !== 'Pending';
}

async function spendBudget(deps: EvictionDeps, pod: Pod, dryRun: boolean): Promise<void> {
  const { namespace = '', labels } = pod.metadata;
  const budgets = deps.lookup.list(podDisruptionBudgets, namespace).filter((b) => labelSelectorOf(b.spec?.selector).matches(labels));
  const [budget] = budgets;
  if (!budget) return;
  if (budgets.length > 1)
    throw internalError('This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
  await deps.objects.change(
    budgetRow(),
    namespace,
    budget.metadata.name,
    (current) => {
      const next = current as PodDisruptionBudget;
      const allowed = next.status?.disruptionsAllowed ?? 0;
      const generation = next.metadata.generation ?? 0;
      if ((next.status?.observedGeneration ?? 0) < generation) {
        throw refused(`The disruption budget ${next.metadata.name} is still being processed by the server.`);
      }
      if (allowed <= 0) {
        const { desiredHealthy = 0, currentHealthy = 0 } = next.status ?? {};
        throw refused(
          `The disruption budget ${next.metadata.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
        );
      }
      next.status = {
        ...next.status!,
        disruptionsAllowed: allowed - 1,
        disruptedPods: { ...next.status?.disruptedPods, [pod.metadata.name]: timeText(deps.clock.now()) },
      };
      return { kind: 'put', object: next };
    },
    dryRun,
  );
}

function refused(message: string): Error {
  return tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10, [
    { reason: 'DisruptionBudget', message },
  ]);
}

function budgetRow(): ResourceRow {
  const row = rowOf('policy', 'v1', 'poddisruptionbudgets');
  if (!row) throw new Error('poddisruptionbudgets is no resource');
  return row;
}
