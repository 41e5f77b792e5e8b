/**
 * Deletes what its owners left behind, and serves foreground and orphan deletion. Keys are uids: an owner that comes again under the
 * same name owns nothing of the first one's.
 */
import type { KubeObject } from '../../api/resource-types.ts';
import type { OwnerReference } from '../../api/schema/types.ts';
import { ignoreNotFound, isInvalid, isNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import { type DiscoveredResource, discover } from '../../client/discovery.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { foregroundFinalizer, type GraphNode, isDeletingDependents, judge, OwnerGraph, type OwnerState, orphanFinalizer } from './graph.ts';

/** They own nothing, are owned by nothing, and there are many. */
const notWatched = new Set(['events', 'componentstatuses']);
/** New resources (a CustomResourceDefinition) are found this often. */
const discoveryMs = 30_000;

export class GarbageCollector extends KeyedController {
  readonly name = 'garbage-collector';
  readonly workers = 10;
  readonly #graph = new OwnerGraph();
  readonly #watched = new Set<string>();
  /** By `group/Kind`. */
  readonly #types = new Map<string, DiscoveredResource>();
  /** What has an owner of a kind that nobody knew: its definition may be younger than the last look. */
  readonly #ofUnknown = new Set<string>();
  #enqueue: (uid: string) => void = () => {};

  setup(controller: Controller): void {
    this.#enqueue = (uid) => controller.enqueue(uid);
    const synced = this.#watchNew(controller);
    controller.waitsFor({ synced });
    void synced.then(
      () => this.#keepLooking(controller),
      () => {},
    );
  }

  async #keepLooking(controller: Controller): Promise<void> {
    const { clock, log, signal } = this.context;
    while (!signal.aborted) {
      await clock.sleep(discoveryMs, signal).catch(() => {});
      if (signal.aborted) return;
      await this.#watchNew(controller).catch((err: unknown) => log.warn(`Cannot look for new resources: ${messageOf(err)}`));
    }
  }

  /** Resolves when all that is watched has been listed. */
  async #watchNew(controller: Controller): Promise<void> {
    const synced: Promise<void>[] = [];
    const kinds = this.#types.size;
    for (const type of await discover(this.client, { partial: true })) {
      const key = `${type.group}/${type.resource}`;
      this.#types.set(`${type.group}/${type.kind}`, type);
      const isCollected = type.verbs.includes('watch') && type.verbs.includes('delete') && !notWatched.has(type.resource);
      if (!isCollected || this.#watched.has(key)) continue;
      this.#watched.add(key);
      const informer = this.informers.of(type);
      controller.watches(informer, {
        add: (object) => this.#graph.put(type, object),
        update: (object, previous) => this.#graph.put(type, object, previous),
        delete: (object) => {
          this.#ofUnknown.delete(object.metadata.uid ?? '');
          return this.#graph.drop(object);
        },
      });
      synced.push(informer.synced);
    }
    await Promise.all(synced);
    if (this.#types.size > kinds) this.#lookAgain();
  }

  #lookAgain(): void {
    for (const uid of this.#ofUnknown) this.#enqueue(uid);
    this.#ofUnknown.clear();
  }

  async reconcile(uid: string): Promise<undefined> {
    const node = this.#graph.get(uid);
    if (!node) return;
    const { deletionTimestamp, finalizers = [] } = node.object.metadata;
    if (!deletionTimestamp) await this.#attemptToDelete(node);
    else if (finalizers.includes(orphanFinalizer)) await this.#attemptToOrphan(node);
    else if (finalizers.includes(foregroundFinalizer)) await this.#deleteDependents(node);
  }

  async #attemptToDelete(node: GraphNode): Promise<void> {
    const { uid = '', namespace, ownerReferences = [] } = node.object.metadata;
    const states = new Map<string, OwnerState>();
    for (const ref of ownerReferences) states.set(ref.uid, await this.#stateOf(ref, namespace));
    if (ownerReferences.some((ref) => !this.#typeOf(ref))) this.#ofUnknown.add(uid);
    const verdict = judge(node.object, states, this.#graph.dependentsOf(uid).length > 0);
    if (verdict.kind === 'delete') await this.#delete(node, verdict.foreground);
    if (verdict.kind === 'unlink') await this.#unlink(node, new Set(verdict.gone.map((ref) => ref.uid)));
  }

  /** An owner that no informer knows is asked for: it may be newer than our news, or of a kind that is not watched. */
  async #stateOf(owner: OwnerReference, namespace: string | undefined): Promise<OwnerState> {
    const { name, uid } = owner;
    const type = this.#typeOf(owner);
    // Nothing is deleted on the word of a kind that nobody knows, or of an owner whose namespace cannot be told.
    if (!type || (type.namespaced && !namespace)) return 'there';
    // An owner is of the dependent's own namespace or of none; one elsewhere counts as absent.
    const home = type.namespaced ? namespace : undefined;
    const known = this.#graph.get(uid)?.object;
    if (known && known.metadata.name === name && (known.metadata.namespace || undefined) === home)
      return isDeletingDependents(known) ? 'deleting-dependents' : 'there';
    const found = await this.client.get(type, name, home ? { namespace: home } : {}).catch(ignoreNotFound);
    return found?.metadata.uid === uid ? 'there' : 'gone';
  }

  #typeOf({ apiVersion, kind }: OwnerReference): DiscoveredResource | undefined {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    return this.#types.get(`${group}/${kind}`);
  }

  async #delete(node: GraphNode, foreground: boolean): Promise<void> {
    const { name, namespace = '', uid = '', ownerReferences = [] } = node.object.metadata;
    let { resourceVersion } = node.object.metadata;
    // Owners that own each other would wait for each other for ever.
    if (foreground && this.#graph.dependentsOf(uid).some(({ object }) => isDeletingDependents(object))) {
      const freed = await this.#patch(node, { ownerReferences: ownerReferences.map((ref) => ({ ...ref, blockOwnerDeletion: false })) });
      if (!freed) return;
      resourceVersion = freed.metadata.resourceVersion;
    }
    const propagationPolicy = foreground ? 'Foreground' : policyOf(node.object);
    // The version, because its owners may have changed since.
    const options = { namespace, preconditions: { uid, resourceVersion }, propagationPolicy } as const;
    await this.client.delete(node.type, name, options).catch(ignoreGone);
  }

  async #attemptToOrphan(node: GraphNode): Promise<void> {
    const uid = node.object.metadata.uid ?? '';
    for (const dependent of this.#graph.dependentsOf(uid)) await this.#unlink(dependent, new Set([uid]));
    await this.#dropFinalizer(node, orphanFinalizer);
  }

  async #deleteDependents(node: GraphNode): Promise<void> {
    const uid = node.object.metadata.uid ?? '';
    const dependents = this.#graph.dependentsOf(uid).map(({ object }) => object.metadata);
    for (const { deletionTimestamp, uid: dependent = '' } of dependents) if (!deletionTimestamp) this.#enqueue(dependent);
    const isBlocked = dependents.some(({ ownerReferences }) => ownerReferences?.some((ref) => ref.uid === uid && ref.blockOwnerDeletion));
    if (!isBlocked) await this.#dropFinalizer(node, foregroundFinalizer);
  }

  async #unlink(node: GraphNode, owners: ReadonlySet<string>): Promise<void> {
    const left = (node.object.metadata.ownerReferences ?? []).filter((ref) => !owners.has(ref.uid));
    await this.#patch(node, { ownerReferences: left.length > 0 ? left : null });
  }

  async #dropFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const left = (node.object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    await this.#patch(node, { finalizers: left.length > 0 ? left : null });
  }

  /** Of the version that was judged; undefined for one that is gone. */
  async #patch({ type, object }: GraphNode, change: object): Promise<KubeObject | undefined> {
    const { name, namespace = '', uid, resourceVersion } = object.metadata;
    return this.client.patch(type, name, { metadata: { uid, resourceVersion, ...change } }, { namespace }).catch(ignoreGone);
  }
}

function policyOf({ metadata: { finalizers = [] } }: KubeObject): 'Foreground' | 'Orphan' | 'Background' {
  if (finalizers.includes(foregroundFinalizer)) return 'Foreground';
  return finalizers.includes(orphanFinalizer) ? 'Orphan' : 'Background';
}

/**
 * Gone already: its event comes by. A conflict is not caught here: what changed may be nothing that puts the key into the queue again
 * (a status), so the key has to come back by itself.
 */
function ignoreGone(err: unknown): undefined {
  if (!isNotFound(err) && !isInvalid(err)) throw err;
  return undefined;
}
