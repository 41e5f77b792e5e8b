/** `pods/eviction`: a deletion that a PodDisruptionBudget may refuse. What `kubectl drain` does. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { podDisruptionBudgets } from '../../api/resource-types.ts';
import type { DeleteOptions, Eviction, Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { Lookup } from '../cache/lookup.ts';
import { decodeObject } from '../http/body.ts';
import { sendObject } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { checkPreconditions } from '../resource/delete.ts';
import { checkDeleteOptions } from '../resource/delete-options.ts';
import type { Deleter } from '../resource/deleter.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import { type WriteContext, writeContextOf } from '../resource/write-context.ts';
import { placeIn } from '../resource/writer.ts';
import type { Handler } from '../router.ts';
import { badRequest, isStatusError, methodNotAllowed, success } from '../status/status-error.ts';
import { spend, stillProcessed, termsOf } from './disruption-budget.ts';

interface EvictionDeps {
  readonly resources: ResourceHandlers;
  readonly deleter: Deleter;
  readonly objects: ObjectStore;
  readonly lookup: Lookup;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
}

/** How often a pod that changes meanwhile is looked at again. */
const attempts = 20;

export function evictionHandler(deps: EvictionDeps): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'create') throw methodNotAllowed();
    const eviction = await evictionOf(ctx);
    const options: DeleteOptions = eviction.deleteOptions ?? {};
    const asked = writeContextOf(ctx, [...(options.dryRun ?? []), ...ctx.query.getAll('dryRun')]);
    await admit(deps, ctx, row, eviction, asked);
    // As upstream: who is asked about the eviction is not asked about the deletion that comes of it.
    const context = { ...asked, ownWrite: true };
    for (let attempt = 1; ; attempt++) {
      const conflict = await tryToEvict(deps, ctx, row, options, context);
      if (!conflict) break;
      if (attempt === attempts) throw conflict;
    }
    sendObject(ctx, 201, success());
  };
}

/** Gives the conflict where the pod has changed meanwhile, so that the budget is to be asked again. */
async function tryToEvict(
  deps: EvictionDeps,
  { info: { namespace, name } }: RequestContext,
  row: ResourceRow,
  options: DeleteOptions,
  context: WriteContext,
): Promise<Error | undefined> {
  const pod = (await deps.resources.read(row, namespace, name)) as Pod;
  const { pinned, budget, spends } = termsOf(pod, deps.lookup.list(podDisruptionBudgets, namespace));
  if (budget && spends) await take(deps, pod, budget.metadata.name, context);
  if (!pinned || options.preconditions?.resourceVersion !== undefined) {
    await evict(deps, row, pod, options, context);
    return undefined;
  }
  const { resourceVersion } = pod.metadata;
  try {
    await evict(deps, row, pod, { ...options, preconditions: { ...options.preconditions, resourceVersion } }, context);
    return undefined;
  } catch (err) {
    if (!isStatusError(err, 'Conflict')) throw err;
    // It may have become ready, and then it costs something.
    if (budget) throw stillProcessed(budget.metadata.name);
    return err;
  }
}

async function admit(
  { admission, resources }: EvictionDeps,
  { info: { namespace, name, subresource } }: RequestContext,
  row: ResourceRow,
  object: Eviction,
  context: WriteContext,
): Promise<void> {
  await resources.read(row, namespace, name);
  placeIn(row, namespace, object);
  await admission.admit({ operation: 'CREATE', row, subresource, namespace, name, object, old: undefined, ...context });
}

async function evictionOf(ctx: RequestContext): Promise<Eviction> {
  const { name } = ctx.info;
  const asked = (await decodeObject(ctx, { apiVersion: 'policy/v1', kind: 'Eviction', schema: 'Eviction' })) as Eviction;
  if (asked.metadata.name && asked.metadata.name !== name) {
    throw badRequest(`name in URL does not match name in Eviction object: ${name} != ${asked.metadata.name}`);
  }
  checkDeleteOptions(asked.deleteOptions ?? {});
  return asked;
}

/** Takes one disruption of the budget. */
async function take({ objects, clock }: EvictionDeps, pod: Pod, budget: string, context: WriteContext): Promise<void> {
  const { namespace = '', name } = pod.metadata;
  await objects.change(
    objects.registry.rowFor(podDisruptionBudgets),
    namespace,
    budget,
    (current) => {
      const next = current as PodDisruptionBudget;
      next.status = spend(next, name, timestamp(clock.now()));
      return { kind: 'put', object: next };
    },
    context,
  );
}

async function evict(deps: EvictionDeps, row: ResourceRow, pod: Pod, options: DeleteOptions, context: WriteContext): Promise<void> {
  const { namespace = '', name } = pod.metadata;
  const { preconditions } = options;
  const resourceVersion = context.dryRun ? undefined : await markDisrupted(deps, row, pod, preconditions, context);
  // The mark has changed the pod that was meant.
  const now = preconditions?.resourceVersion && resourceVersion ? { ...preconditions, resourceVersion } : preconditions;
  await deps.deleter.delete(row, namespace, name, { ...options, ...(now ? { preconditions: now } : {}) }, context);
}

/** Says on the pod why it goes; gives its new resourceVersion. */
async function markDisrupted(
  { objects, clock }: EvictionDeps,
  row: ResourceRow,
  { metadata }: Pod,
  preconditions: DeleteOptions['preconditions'],
  context: WriteContext,
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
    context,
  );
  return String(changed.object.revision);
}
