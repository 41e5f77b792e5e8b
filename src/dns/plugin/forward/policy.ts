/** In which order resolvers are asked: CoreDNS's `policy`. Pure but for what a policy remembers of its turns. */
import type { UpstreamState } from './upstream-health.ts';

export type PolicyName = 'random' | 'round_robin' | 'sequential';

/** Gives all of `upstreams`, the first to be asked first. */
export type Policy = <T>(upstreams: readonly T[]) => T[];

/** `random` gives a number from 0 up to 1. */
export function policyOf(name: PolicyName, random: () => number): Policy {
  let turn = 0;
  if (name === 'sequential') return (all) => [...all];
  if (name === 'round_robin')
    return (all) => {
      const from = turn++ % Math.max(all.length, 1);
      return [...all.slice(from), ...all.slice(0, from)];
    };
  return (all) => {
    const rest = [...all];
    return all.flatMap(() => rest.splice(Math.floor(random() * rest.length), 1));
  };
}

/**
 * Doubtful ones behind those that are up, and none that is down. When all are down, it is the checking that is broken: all of them, and
 * `isBroken` says so.
 */
export function byHealth<T extends { readonly health: { readonly state: UpstreamState } }>(
  ordered: readonly T[],
): { readonly order: readonly T[]; readonly isBroken: boolean } {
  const there = ordered.filter((u) => u.health.state !== 'down');
  if (there.length === 0) return { order: ordered, isBroken: ordered.length > 0 };
  return { order: there.toSorted((a, b) => Number(a.health.state !== 'up') - Number(b.health.state !== 'up')), isBroken: false };
}
