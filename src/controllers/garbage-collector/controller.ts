/** Deletes what its owners left behind, and serves foreground and orphan deletion. */
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { OwnerReference } from '../../api/schema/types.ts';
import { isInvalid, isNotFound } from '../../client/api-error.ts';
import { type DiscoveredResource, discover } from '../../client/discovery.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { type GraphNode, judge, OwnerGraph } from './graph.ts';

const foregroundFinalizer = 'foregroundDeletion';
const orphanFinalizer = 'orphan';
/** They own nothing, are owned by nothing, and there are many. */
const notWatched = new Set(['events', 'componentstatuses']);
/** New resources (a CustomResourceDefinition) are found this often. */
const discoveryMs = 30_000;

export async function runGarbageCollector(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const graph = new OwnerGraph();
  const watched = new Map<string, Promise<void>>();
  const types = new Map<string, DiscoveredResource>();

  async function watchNew(): Promise<void> {
    for (const resource of await discover(client)) {
      const key = `${resource.group}/${resource.resource}`;
      types.set(`${resource.group}/${resource.kind}`, resource);
      const wanted = resource.verbs.includes('watch') && resource.verbs.includes('delete') && !notWatched.has(resource.resource);
      if (wanted && !watched.has(key)) watched.set(key, watch(resource));
    }
    await Promise.all(watched.values());
  }

  function watch(type: ResourceType): Promise<void> {
    const informer = informers.of(type);
    const put = (object: KubeObject, previous?: KubeObject): void => {
      const { metadata } = object;
      graph.set(type, object);
      const changed =
        previous === undefined ||
        previous.metadata.deletionTimestamp !== metadata.deletionTimestamp ||
        JSON.stringify(previous.metadata.ownerReferences) !== JSON.stringify(metadata.ownerReferences) ||
        JSON.stringify(previous.metadata.finalizers) !== JSON.stringify(metadata.finalizers);
      if (!changed) return;
      if (metadata.ownerReferences?.length || metadata.deletionTimestamp) queue.add(metadata.uid ?? '');
      // An owner that waits for its dependents looks again when one of them changes.
      for (const ref of [...(metadata.ownerReferences ?? []), ...(previous?.metadata.ownerReferences ?? [])])
        if (graph.get(ref.uid)?.object.metadata.deletionTimestamp) queue.add(ref.uid);
      if (metadata.deletionTimestamp && metadata.finalizers?.includes(foregroundFinalizer))
        for (const d of graph.dependentsOf(metadata.uid ?? '')) queue.add(d.object.metadata.uid ?? '');
    };
    informer.on({
      add: (o) => put(o),
      update: put,
      delete(object) {
        const uid = object.metadata.uid ?? '';
        graph.remove(uid);
        for (const d of graph.dependentsOf(uid)) queue.add(d.object.metadata.uid ?? '');
        for (const ref of object.metadata.ownerReferences ?? [])
          if (graph.get(ref.uid)?.object.metadata.deletionTimestamp) queue.add(ref.uid);
      },
    });
    return informer.synced;
  }

  await watchNew();
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(discoveryMs, signal).catch(() => {});
      if (!signal.aborted) await watchNew().catch((err: unknown) => log.warn(`Cannot look for new resources: ${messageOf(err)}`));
    }
  })();
  await runController({ name: 'garbage-collector', queue, reconcile, log, signal, workers: 10 });

  async function reconcile(uid: string): Promise<void> {
    const node = graph.get(uid);
    if (!node) return;
    const { metadata } = node.object;
    if (metadata.deletionTimestamp) {
      if (metadata.finalizers?.includes(orphanFinalizer)) await orphan(node);
      else if (metadata.finalizers?.includes(foregroundFinalizer)) await deleteDependents(node);
      return;
    }
    if (!metadata.ownerReferences?.length) return;
    const states = new Map<string, 'there' | 'gone' | 'deleting-dependents'>();
    for (const ref of metadata.ownerReferences) states.set(ref.uid, await stateOf(ref, metadata.namespace));
    const verdict = judge(node.object, states, graph.dependentsOf(uid).length > 0);
    if (verdict.kind === 'delete') await remove(node, verdict.foreground);
    else if (verdict.kind === 'unlink') await unlink(node, new Set(verdict.gone.map((r) => r.uid)));
  }

  /** An owner that no informer knows is asked for: it may be newer than our news, or of a kind that is not watched. */
  async function stateOf(ref: OwnerReference, namespace: string | undefined): Promise<'there' | 'gone' | 'deleting-dependents'> {
    const slash = ref.apiVersion.indexOf('/');
    const type = types.get(`${slash < 0 ? '' : ref.apiVersion.slice(0, slash)}/${ref.kind}`);
    // Nothing is deleted on the word of a kind that nobody knows, or of an owner whose namespace cannot be told.
    if (!type || (type.namespaced && !namespace)) return 'there';
    const home = type.namespaced ? namespace : undefined;
    const known = graph.get(ref.uid);
    // An owner is of the dependent's own namespace or of none; one elsewhere counts as absent.
    if (known && known.object.metadata.name === ref.name && (known.object.metadata.namespace || undefined) === home) {
      return isDeletingDependents(known.object) ? 'deleting-dependents' : 'there';
    }
    try {
      const owner = await client.get(type, ref.name, home ? { namespace: home } : {});
      return owner.metadata.uid === ref.uid ? 'there' : 'gone';
    } catch (err) {
      if (isNotFound(err)) return 'gone';
      throw err;
    }
  }

  async function remove(node: GraphNode, foreground: boolean): Promise<void> {
    const { name, namespace = '', uid, finalizers } = node.object.metadata;
    let { resourceVersion } = node.object.metadata;
    // Owners that own each other would wait for each other for ever.
    const circle = foreground && graph.dependentsOf(uid ?? '').some((d) => isDeletingDependents(d.object));
    if (circle) {
      const ownerReferences = node.object.metadata.ownerReferences?.map((r) => ({ ...r, blockOwnerDeletion: false }));
      const freed = await client.patch(node.type, name, { metadata: { uid, resourceVersion, ownerReferences } }, { namespace });
      resourceVersion = freed.metadata.resourceVersion;
    }
    const propagationPolicy =
      foreground || finalizers?.includes(foregroundFinalizer)
        ? 'Foreground'
        : finalizers?.includes(orphanFinalizer)
          ? 'Orphan'
          : 'Background';
    // The version, because its owners may have changed since.
    await client.delete(node.type, name, { namespace, preconditions: { uid, resourceVersion }, propagationPolicy }).catch(ignoreGone);
  }

  async function unlink(node: GraphNode, owners: ReadonlySet<string>): Promise<void> {
    const { name, namespace = '', uid, resourceVersion } = node.object.metadata;
    const ownerReferences = (node.object.metadata.ownerReferences ?? []).filter((r) => !owners.has(r.uid));
    const metadata = { uid, resourceVersion, ownerReferences: ownerReferences.length > 0 ? ownerReferences : null };
    await client.patch(node.type, name, { metadata }, { namespace }).catch(ignoreGone);
  }

  async function orphan(node: GraphNode): Promise<void> {
    const uid = node.object.metadata.uid ?? '';
    for (const dependent of graph.dependentsOf(uid)) await unlink(dependent, new Set([uid]));
    await dropFinalizer(node, orphanFinalizer);
  }

  async function deleteDependents(node: GraphNode): Promise<void> {
    const uid = node.object.metadata.uid ?? '';
    const dependents = graph.dependentsOf(uid);
    for (const d of dependents) if (!d.object.metadata.deletionTimestamp) queue.add(d.object.metadata.uid ?? '');
    const blocking = dependents.some((d) => d.object.metadata.ownerReferences?.some((r) => r.uid === uid && r.blockOwnerDeletion));
    if (!blocking) await dropFinalizer(node, foregroundFinalizer);
  }

  async function dropFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const { name, namespace = '', uid, resourceVersion } = node.object.metadata;
    const finalizers = (node.object.metadata.finalizers ?? []).filter((f) => f !== finalizer);
    await client
      .patch(node.type, name, { metadata: { uid, resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null } }, { namespace })
      .catch(ignoreGone);
  }
}

function isDeletingDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(foregroundFinalizer) ?? false);
}

/**
 * Gone already: its event comes by. A conflict is not caught here: what changed may be nothing that puts the key into the queue again
 * (a status), so the key has to come back by itself.
 */
function ignoreGone(err: unknown): void {
  if (!isNotFound(err) && !isInvalid(err)) throw err;
}
