/** How large a Deployment's ReplicaSets are to be: pure. Numbers follow upstream's deployment controller (rolling.go, recreate.go, sync.go). */
import type { Deployment, ReplicaSet } from '../../api/schema/types.ts';
import { available, boundsOf, byAge, desiredReplicasAnnotation, maxReplicasAnnotation, type Rollout, size, sum } from './desired.ts';

/** New sizes by name; a ReplicaSet that is not named keeps its size. */
export type Sizes = ReadonlyMap<string, number>;

/** One step of a rolling update: as much up, and as much down, as the bounds allow right now. */
export function rollingSizes(deployment: Deployment, fresh: ReplicaSet, old: readonly ReplicaSet[]): Sizes {
  const grown = freshSize(deployment, fresh, old);
  return grown === undefined ? shrunkSizes(deployment, fresh, old) : new Map([[fresh.metadata.name, grown]]);
}

/** What the new one becomes; undefined when it has what it may have, and it is the others' turn. */
function freshSize(deployment: Deployment, fresh: ReplicaSet, old: readonly ReplicaSet[]): number | undefined {
  const replicas = deployment.spec?.replicas ?? 1;
  if (size(fresh) > replicas) return replicas;
  const room = replicas + boundsOf(deployment).maxSurge - sum([fresh, ...old], size);
  return size(fresh) < replicas && room > 0 ? Math.min(size(fresh) + room, replicas) : undefined;
}

/** As many old pods go as the bounds allow. */
function shrunkSizes(deployment: Deployment, fresh: ReplicaSet, old: readonly ReplicaSet[]): Sizes {
  const all = [fresh, ...old];
  const minAvailable = (deployment.spec?.replicas ?? 1) - boundsOf(deployment).maxUnavailable;
  const freshUnavailable = size(fresh) - available(fresh);
  const sizes = new Map(old.toSorted(byAge).map((rs) => [rs, size(rs)]));
  let mayGo = sum(all, size) - minAvailable - freshUnavailable;
  const shrink = (by: (rs: ReplicaSet, now: number) => number): void => {
    for (const [rs, now] of sizes) {
      const less = Math.max(Math.min(by(rs, now), now, mayGo), 0);
      sizes.set(rs, now - less);
      mayGo -= less;
    }
  };
  // Pods that serve nobody go first: they cost no availability.
  shrink((rs, now) => now - available(rs));
  let healthyMayGo = sum(all, available) - minAvailable;
  shrink((_, now) => {
    const less = Math.max(Math.min(now, healthyMayGo, mayGo), 0);
    healthyMayGo -= less;
    return less;
  });
  return changed(sizes);
}

function changed(sizes: ReadonlyMap<ReplicaSet, number>): Sizes {
  return new Map([...sizes].filter(([rs, now]) => now !== size(rs)).map(([rs, now]) => [rs.metadata.name, now]));
}

/** Recreate: everything old goes, and only when its pods are gone does the new come. */
export function recreateSizes({ deployment, fresh, old }: Omit<Rollout, 'isNew'>, oldPodsRun: boolean): Sizes {
  const sizes = new Map<string, number>();
  for (const rs of old) if (size(rs) > 0) sizes.set(rs.metadata.name, 0);
  if (sizes.size === 0 && !oldPodsRun && fresh) sizes.set(fresh.metadata.name, deployment.spec?.replicas ?? 1);
  return sizes;
}

/** The Deployment itself was scaled, or is paused: sizes grow or shrink in proportion, so that a rollout under way keeps its mix. */
export function proportionalSizes(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
  const replicas = deployment.spec?.replicas ?? 1;
  const active = [...(fresh ? [fresh] : []), ...old].filter((rs) => size(rs) > 0);
  const only = active.length === 0 ? (fresh ?? old.toSorted(byAge).at(-1)) : active.length === 1 ? active[0] : undefined;
  if (only) return changed(new Map([[only, replicas]]));
  // Saturated: the new one holds all, so the old ones go.
  if (fresh && size(fresh) === replicas && available(fresh) === replicas) return changed(new Map(old.map((rs) => [rs, 0])));
  return changed(inProportion(active, replicas, replicas > 0 ? replicas + boundsOf(deployment).maxSurge : 0));
}

/** Brings all together to `allowed`, each by its share; what rounding leaves goes to the largest. */
function inProportion(active: readonly ReplicaSet[], replicas: number, allowed: number): Map<ReplicaSet, number> {
  let toAdd = allowed - sum(active, size);
  const grows = toAdd > 0;
  const order = active.toSorted((a, b) => size(b) - size(a) || (grows ? byAge(b, a) : byAge(a, b)));
  const sizes = new Map<ReplicaSet, number>();
  for (const rs of order) {
    const before = Number(rs.metadata.annotations?.[maxReplicasAnnotation] ?? 0) || replicas || 1;
    const share = Math.round((size(rs) * allowed) / before) - size(rs);
    const change = grows ? Math.min(Math.max(share, 0), toAdd) : Math.max(Math.min(share, 0), toAdd);
    sizes.set(rs, Math.max(size(rs) + change, 0));
    toAdd -= change;
  }
  const [largest] = order;
  if (largest) sizes.set(largest, Math.max((sizes.get(largest) ?? 0) + toAdd, 0));
  return sizes;
}

/** Whether the Deployment was scaled since its ReplicaSets were last sized. */
export function wasScaled(deployment: Deployment, owned: readonly ReplicaSet[]): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return owned.some((rs) => {
    const desired = rs.metadata.annotations?.[desiredReplicasAnnotation];
    return size(rs) > 0 && desired !== undefined && Number(desired) !== replicas;
  });
}
