/** `pods/eviction`: a deletion that a PodDisruptionBudget may refuse. What `kubectl drain` does. */

import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { podDisruptionBudgets } from '../../api/resource-types.ts';
import type { DeleteOptions, Eviction, Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { Lookup } from '../cache/lookup.ts';
import { decodeObject } from '../http/body.ts';
import { sendJson } from '../http/reply.ts';
import { checkDeleteOptions, checkPreconditions } from '../resource/delete.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import { type ResourceHandlers, writeContextOf } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { badRequest, isStatusError, methodNotAllowed, StatusError, success, tooManyRequests } from '../status/status-error.ts';

export interface EvictionDeps {
  readonly resources: ResourceHandlers;
  readonly objects: ObjectStore;
  readonly lookup: Lookup;
  readonly clock: Clock;
}

/** How often a pod that changes meanwhile is looked at again. */
const attempts = 20;
/** Evictions that the disruption controller has not seen through yet. */
const maxDisrupted = 2000;

export function evictionHandler(deps: EvictionDeps): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'create') throw methodNotAllowed();
    const { namespace, name } = ctx.info;
    const asked = (await decodeObject(ctx, { apiVersion: 'policy/v1', kind: 'Eviction', schema: 'Eviction' })) as Eviction;
    if (asked.metadata.name && asked.metadata.name !== name) {
      throw badRequest(`name in URL does not match name in Eviction object: ${name} != ${asked.metadata.name}`);
    }
    const options: DeleteOptions = asked.deleteOptions ?? {};
    checkDeleteOptions(options);
    const context = writeContextOf(ctx, [...(options.dryRun ?? []), ...ctx.query.getAll('dryRun')]);
    for (let attempt = 1; ; attempt++) {
      const pod = (await deps.resources.read(row, namespace, name)) as Pod;
      const guarded = pod.metadata.deletionTimestamp === undefined && isGuarded(pod);
      const permit = guarded ? await permitOf(deps, pod, context.dryRun) : { pinned: pod.status?.phase === 'Pending' };
      // A pod that costs its budget nothing as it is must not have become ready meanwhile.
      const pinned = permit.pinned && options.preconditions?.resourceVersion === undefined;
      const preconditions = pinned ? { ...options.preconditions, resourceVersion: pod.metadata.resourceVersion } : options.preconditions;
      try {
        const resourceVersion = context.dryRun ? undefined : await markDisrupted(deps, row, pod, preconditions);
        const now = preconditions?.resourceVersion && resourceVersion ? { ...preconditions, resourceVersion } : preconditions;
        await deps.resources.deleteObject(row, namespace, name, { ...options, ...(now ? { preconditions: now } : {}) }, context);
        break;
      } catch (err) {
        if (!pinned || !isStatusError(err, 'Conflict')) throw err;
        if (permit.budget) throw stillProcessed(permit.budget);
        if (attempt === attempts) throw err;
      }
    }
    sendJson(ctx, 201, success());
  };
}

/** A pod that has ended, or has not begun, serves nobody: no budget speaks for it. */
function isGuarded({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed' && status?.phase !== 'Pending';
}

interface Permit {
  /** It holds only for the pod as it was read. */
  readonly pinned: boolean;
  readonly budget?: string;
}

async function permitOf(deps: EvictionDeps, pod: Pod, dryRun: boolean): Promise<Permit> {
  const { namespace = '', labels } = pod.metadata;
  const budgets = deps.lookup.list(podDisruptionBudgets, namespace).filter((b) => labelSelectorOf(b.spec?.selector).matches(labels));
  const [budget] = budgets;
  if (!budget) return { pinned: false };
  if (budgets.length > 1) {
    const text = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError(500, 'InternalError', text);
  }
  if (!pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) {
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
    const spareable = currentHealthy >= desiredHealthy && desiredHealthy > 0;
    if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || spareable) return { pinned: true, budget: budget.metadata.name };
  }
  await spend(deps, pod, budget.metadata.name, dryRun);
  return { pinned: false };
}

async function spend(deps: EvictionDeps, pod: Pod, budget: string, dryRun: boolean): Promise<void> {
  await deps.objects.change(
    deps.objects.registry.rowFor(podDisruptionBudgets),
    pod.metadata.namespace ?? '',
    budget,
    (current) => {
      const next = current as PodDisruptionBudget;
      const { status } = next;
      const allowed = status?.disruptionsAllowed ?? 0;
      if ((status?.observedGeneration ?? 0) < (next.metadata.generation ?? 0)) throw stillProcessed(budget);
      if (allowed < 0) throw refusedOutright(budget, 'pdb disruptions allowed is negative');
      if (Object.keys(status?.disruptedPods ?? {}).length > maxDisrupted) {
        throw refusedOutright(budget, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
      }
      if (allowed === 0) throw overBudget(whyNot(next));
      const time = timestamp(deps.clock.now());
      const exhausted = { status: 'False', reason: 'InsufficientPods', lastTransitionTime: time };
      const conditions = status?.conditions?.map((c) =>
        allowed === 1 && c.type === 'DisruptionAllowed' && c.status === 'True' ? { ...c, ...exhausted } : c,
      );
      next.status = {
        ...status!,
        disruptionsAllowed: allowed - 1,
        disruptedPods: { ...status?.disruptedPods, [pod.metadata.name]: time },
        ...(conditions ? { conditions } : {}),
      };
      return { kind: 'put', object: next };
    },
    dryRun,
  );
}

/** Says on the pod why it goes; gives its new resourceVersion. */
async function markDisrupted(
  { objects, clock }: EvictionDeps,
  row: ResourceRow,
  { metadata }: Pod,
  preconditions: DeleteOptions['preconditions'],
): Promise<string> {
  const changed = await objects.change(
    row,
    metadata.namespace ?? '',
    metadata.name,
    (current) => {
      checkPreconditions(row, current, preconditions);
      const next = current as Pod;
      const was = next.status?.conditions?.find((c) => c.type === 'DisruptionTarget');
      const lastTransitionTime = was?.status === 'True' ? was.lastTransitionTime : timestamp(clock.now());
      const target = {
        type: 'DisruptionTarget',
        status: 'True',
        lastTransitionTime,
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
      };
      next.status = { ...next.status, conditions: [...(next.status?.conditions ?? []).filter((c) => c !== was), target] };
      return { kind: 'put', object: next };
    },
    false,
  );
  return String(changed.object.revision);
}

function whyNot({ metadata: { name }, status }: PodDisruptionBudget): string {
  const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
  const condition = status?.conditions?.find((c) => c.type === 'DisruptionAllowed' && c.status === 'False' && c.message);
  if (condition?.reason === 'SyncFailed') {
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`;
  }
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return `The disruption budget ${name} does not allow evicting pods currently${condition ? ` (${condition.reason}): ${condition.message}` : ''}`;
}

/** The disruption controller will have news soon. */
function stillProcessed(budget: string): Error {
  return overBudget(`The disruption budget ${budget} is still being processed by the server.`, 10);
}

function overBudget(message: string, retryAfterSeconds?: number): Error {
  const causes = [{ reason: 'DisruptionBudget', message }];
  return tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, causes);
}

function refusedOutright(name: string, why: string): Error {
  const text = `poddisruptionbudget.policy ${JSON.stringify(name)} is forbidden: ${why}`;
  return new StatusError(403, 'Forbidden', text, { name, group: 'policy', kind: 'poddisruptionbudget' });
}
