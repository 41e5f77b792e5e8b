/** The metrics of forwarding, under CoreDNS's names. */
import { type Labels, registerCounter } from '../../metrics/counter.ts';
import type { Env } from '../plugin.ts';
import type { ForwardStatistics } from './forward.ts';

export function registerForwardMetrics({ metrics }: Env, statistics: ForwardStatistics): void {
  const rejects = 'Queries rejected because the concurrent queries were at maximum.';
  registerCounter(metrics, 'coredns_forward_max_concurrent_rejects_total', rejects, () => [[{}, statistics.rejected]]);
  const broken = 'Counter of the number of complete failures of the healthchecks.';
  registerCounter(metrics, 'coredns_forward_healthcheck_broken_total', broken, () => [[{}, statistics.broken]]);
  const failed = 'Counter of the number of failed healthchecks.';
  const byResolver = (): [Labels, number][] => [...statistics.failedChecks].map(([to, n]) => [{ proxy_name: 'forward', to }, n]);
  registerCounter(metrics, 'coredns_proxy_healthcheck_failures_total', failed, byResolver, ['proxy_name', 'to']);
}
