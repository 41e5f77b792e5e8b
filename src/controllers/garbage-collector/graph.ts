/**
 * Who owns whom, by uid, and which objects news makes worth a look (upstream's GraphBuilder): pure bookkeeping, fed by informers.
 */
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { OwnerReference } from '../../api/schema/types.ts';
import { Indexer } from '../../client/indexer.ts';

/** The finalizers by which a deletion says what becomes of dependents (metav1's FinalizerDeleteDependents and FinalizerOrphanDependents). */
export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** Being deleted in the foreground: it goes after its dependents. */
export function isDeletingDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(foregroundFinalizer) ?? false);
}

export interface GraphNode {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

export class OwnerGraph {
  /** By uid. */
  readonly #nodes = new Indexer<GraphNode>();

  constructor() {
    this.#nodes.addIndex('owner', ({ object }) => (object.metadata.ownerReferences ?? []).map(({ uid }) => uid));
  }

  /** Takes an object as it is now; gives the uids to look at. */
  put(type: ResourceType, object: KubeObject, previous?: KubeObject): string[] {
    const { metadata } = object;
    this.#nodes.put(metadata.uid ?? '', { type, object });
    if (previous && sameForGraph(previous, object)) return [];
    const isWorthALook = metadata.ownerReferences?.length || metadata.deletionTimestamp;
    return [
      ...(isWorthALook ? [metadata.uid ?? ''] : []),
      ...this.#waitingOwners(object),
      ...(previous ? this.#waitingOwners(previous) : []),
      ...(isDeletingDependents(object) ? this.#uidsOfDependents(metadata.uid ?? '') : []),
    ];
  }

  /** Takes an object that is gone; gives the uids to look at. */
  drop(object: KubeObject): string[] {
    const uid = object.metadata.uid ?? '';
    this.#nodes.delete(uid);
    return [...this.#uidsOfDependents(uid), ...this.#waitingOwners(object)];
  }

  /** An owner that waits for its dependents looks again when one of them changes. */
  #waitingOwners({ metadata }: KubeObject): string[] {
    return (metadata.ownerReferences ?? []).map(({ uid }) => uid).filter((uid) => this.get(uid)?.object.metadata.deletionTimestamp);
  }

  #uidsOfDependents(uid: string): string[] {
    return this.dependentsOf(uid).map(({ object }) => object.metadata.uid ?? '');
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return this.#nodes.byIndex('owner', uid);
  }
}

function sameForGraph(a: KubeObject, b: KubeObject): boolean {
  const relevant = ({ metadata }: KubeObject): string =>
    JSON.stringify([metadata.deletionTimestamp, metadata.ownerReferences, metadata.finalizers]);
  return relevant(a) === relevant(b);
}

/** `deleting-dependents`: the owner is being deleted in the foreground. */
export type OwnerState = 'there' | 'gone' | 'deleting-dependents';

export type Verdict =
  | { readonly kind: 'keep' }
  /** Every owner is gone, or deletes its dependents in the foreground: so goes the object. */
  | { readonly kind: 'delete'; readonly foreground: boolean }
  /** Some owners are there, these references point nowhere. */
  | { readonly kind: 'unlink'; readonly gone: readonly OwnerReference[] };

/** What becomes of an object by the state of its owners. https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
export function judge(object: KubeObject, owners: ReadonlyMap<string, OwnerState>, hasDependents: boolean): Verdict {
  const refs = object.metadata.ownerReferences ?? [];
  const gone = refs.filter((r) => owners.get(r.uid) === 'gone');
  const solid = refs.filter((r) => owners.get(r.uid) === 'there');
  const waiting = refs.filter((r) => owners.get(r.uid) === 'deleting-dependents');
  if (solid.length > 0) return gone.length + waiting.length > 0 ? { kind: 'unlink', gone: [...gone, ...waiting] } : { kind: 'keep' };
  if (refs.length === 0) return { kind: 'keep' };
  return { kind: 'delete', foreground: waiting.length > 0 && hasDependents };
}
