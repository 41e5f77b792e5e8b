/** The cache's metrics, under CoreDNS's names. */
import Gauge from 'prom-client/lib/gauge.js';
import { registerCounter } from '../../metrics/counter.ts';
import type { Env } from '../plugin.ts';
import type { Cache } from './cache.ts';

export function registerCacheMetrics({ metrics, server }: Env, statistics: Cache['statistics']): void {
  const where = { server, zones: '.', view: '' };
  const ofSuccess = { ...where, type: 'success' };
  const count = (name: string, help: string, labels: Record<string, string>, read: () => number): void =>
    registerCounter(metrics, name, help, () => [[labels, read()]]);
  count('coredns_cache_requests_total', 'The count of cache requests.', where, () => statistics.hits + statistics.misses);
  count('coredns_cache_hits_total', 'The count of cache hits.', ofSuccess, () => statistics.hits);
  count('coredns_cache_misses_total', 'The count of cache misses.', where, () => statistics.misses);
  count('coredns_cache_evictions_total', 'The count of cache evictions.', ofSuccess, () => statistics.evictions);
  new Gauge({
    name: 'coredns_cache_entries',
    help: 'The number of elements in the cache.',
    labelNames: ['server', 'type', 'zones', 'view'],
    registers: [metrics],
    collect() {
      this.set(ofSuccess, statistics.entries);
    },
  });
}
