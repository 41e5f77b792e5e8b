/** The metrics of forwarding, under CoreDNS's names. */
import { registerCounter } from '../../metrics/counter.ts';
import type { Env } from '../plugin.ts';
import type { ForwardStatistics } from './forward.ts';

export function registerForwardMetrics({ metrics }: Env, statistics: ForwardStatistics): void {
  registerCounter(
    metrics,
    'coredns_forward_max_concurrent_rejects_total',
    'Queries rejected because the concurrent queries were at maximum.',
    () => [[{}, statistics.rejected]],
  );
  registerCounter(
    metrics,
    'coredns_forward_healthcheck_broken_total',
    'Counter of the number of complete failures of the healthchecks.',
    () => [[{}, statistics.broken]],
  );
  registerCounter(
    metrics,
    'coredns_proxy_healthcheck_failures_total',
    'Counter of the number of failed healthchecks.',
    () => [...statistics.failedChecks].map(([to, n]) => [{ proxy_name: 'forward', to }, n] as const),
    ['proxy_name', 'to'],
  );
}
