/** Settings of plugins by name, as the blocks of a Corefile would give them. A plugin without a block is not in the chain. */
import type { CacheBlock } from './cache/cache.ts';
import type { ForwardBlock } from './forward/forward.ts';
import type { Upstream } from './forward/resolver.ts';
import type { KubernetesBlock } from './kubernetes/kubernetes.ts';

export type Blocks = Readonly<Record<string, unknown>>;

export interface ClusterDnsSettings extends KubernetesBlock {
  /** For names outside the zone; asked anew for each question. */
  readonly upstreams: () => readonly Upstream[];
}

/** What kubeadm's Corefile says. */
export function clusterBlocks(settings: ClusterDnsSettings): Blocks {
  const { zone, upstreams, ranges, ttl = 30, maxWatchAgeMs } = settings;
  return {
    cache: { disable: [zone] } satisfies CacheBlock,
    kubernetes: { zone, ranges, ttl, maxWatchAgeMs } satisfies KubernetesBlock,
    forward: { to: upstreams } satisfies ForwardBlock,
  };
}
