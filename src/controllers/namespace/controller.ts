/** Empties a namespace that is being deleted, then lets it go. */
import { namespaces, type ResourceType } from '../../api/resource-types.ts';
import type { Namespace, NamespaceCondition } from '../../api/schema/types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import { discover } from '../../client/discovery.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';

/** Pods first; events last: what is deleted before them makes some. */
function turnOf({ group, resource }: ResourceType): number {
  if (group === '' && resource === 'pods') return 0;
  return resource === 'events' ? 2 : 1;
}

/** How soon to look again while pods use up their grace. */
const retryMs = 1_000;
const finalizersRetryMs = 8_000;
const finalizer = 'kubernetes';

interface Left {
  readonly resources: string[];
  /** How many objects each finalizer holds. */
  readonly finalizers: Map<string, number>;
}

export async function runNamespaces(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const informer = informers.of(namespaces);
  const onNamespace = (n: Namespace): void => {
    if (n.metadata.deletionTimestamp) queue.add(n.metadata.name);
  };
  informer.on({ add: onNamespace, update: onNamespace });
  await informer.synced;
  await runController({ name: 'namespace-controller', queue, reconcile, log, signal });

  async function reconcile(name: string): Promise<void> {
    const namespace = informer.get(name);
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return;
    const left: Left = { resources: [], finalizers: new Map() };
    const failures: string[] = [];
    let waits = false;
    let arePodsLeft = false;
    const resources = (await discover(client)).filter((r) => r.namespaced && r.verbs.includes('list') && r.verbs.includes('delete'));
    for (const resource of resources.toSorted((a, b) => turnOf(a) - turnOf(b))) {
      // A pod that still runs keeps what protects and configures it: its NetworkPolicies, Secrets … (KEP-5080).
      if (turnOf(resource) > 0 && arePodsLeft) break;
      try {
        await client.deleteCollection(resource, { namespace: name, propagationPolicy: 'Background', signal });
        const { items } = await client.list(resource, { namespace: name, signal });
        if (items.length > 0) left.resources.push(`${resource.resource}.${resource.group} has ${items.length} resource instances`);
        for (const { metadata } of items) {
          for (const f of metadata.finalizers ?? []) left.finalizers.set(f, (left.finalizers.get(f) ?? 0) + 1);
          if (!metadata.finalizers?.length) waits = true;
        }
      } catch (err) {
        if (!isNotFound(err)) failures.push(`${resource.resource}: ${messageOf(err)}`);
      }
      if (turnOf(resource) === 0) arePodsLeft = left.resources.length > 0 || failures.length > 0;
    }
    if (left.resources.length === 0 && failures.length === 0) {
      const finalizers = namespace.spec.finalizers.filter((f) => f !== finalizer);
      await client
        .update(namespaces, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: 'finalize' })
        .catch((err: unknown) => {
          if (!isNotFound(err) && !isConflict(err)) throw err;
          if (isConflict(err)) queue.addAfter(name, 100);
        });
      return;
    }
    await tell(namespace, left, failures);
    // What waits for nothing but finalizers of others may do so for days.
    queue.addAfter(name, waits ? retryMs : finalizersRetryMs);
  }

  /** The conditions by which `kubectl get ns -o yaml` shows what holds a namespace up. */
  async function tell(namespace: Namespace, left: Left, failures: readonly string[]): Promise<void> {
    const condition = (
      type: string,
      bad: readonly string[],
      reason: string,
      badReason: string,
      prefix: string,
      fine: string,
    ): NamespaceCondition => ({
      type,
      status: bad.length > 0 ? 'True' : 'False',
      reason: bad.length > 0 ? badReason : reason,
      message: bad.length > 0 ? `${prefix}${bad.join(', ')}` : fine,
      lastTransitionTime: timestamp(clock.now()),
    });
    const conditions = [
      condition(
        'NamespaceDeletionContentFailure',
        failures,
        'ContentDeleted',
        'ContentDeletionFailed',
        'Failed to delete all resource types: ',
        'All content successfully deleted, may be waiting on finalization',
      ),
      condition(
        'NamespaceContentRemaining',
        left.resources,
        'ContentRemoved',
        'SomeResourcesRemain',
        'Some resources are remaining: ',
        'All content successfully removed',
      ),
      condition(
        'NamespaceFinalizersRemaining',
        [...left.finalizers].map(([f, n]) => `${f} in ${n} resource instances`).toSorted(),
        'ContentHasNoFinalizers',
        'SomeFinalizersRemain',
        'Some content in the namespace has finalizers remaining: ',
        'All content-preserving finalizers finished',
      ),
    ].map((c) => {
      const was = namespace.status?.conditions?.find((o) => o.type === c.type);
      return was?.status === c.status ? { ...c, lastTransitionTime: was.lastTransitionTime } : c;
    });
    if (JSON.stringify(conditions.map((c) => c.message)) === JSON.stringify(namespace.status?.conditions?.map((c) => c.message))) return;
    await client.patch(namespaces, namespace.metadata.name, { status: { conditions } }, { subresource: 'status' }).catch(() => {});
  }
}
