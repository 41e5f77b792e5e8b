/** How long a change of the cluster takes to become a name, under CoreDNS's name. */
import type { Registry } from 'prom-client';
import { Distribution } from '../../metrics/distribution.ts';

export type ServiceKind = 'cluster_ip' | 'headless_with_selector' | 'headless_without_selector';

/** `seconds` from the change of a pod to its name. */
export type OnProgrammed = (kind: ServiceKind, seconds: number) => void;

const buckets = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

export function registerProgrammingDuration(registry: Registry): OnProgrammed {
  const name = 'coredns_kubernetes_dns_programming_duration_seconds';
  const help = 'Histogram of the time (in seconds) it took to program a dns instance.';
  const programming = new Distribution(registry, name, help, buckets, ['service_kind']);
  return (kind, seconds) => programming.observe(seconds, kind);
}
