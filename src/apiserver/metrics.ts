/** What the server counts, under upstream's names where they mean the same. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry as MetricsRegistry } from 'prom-client';
import type { Registry } from '../api/registry/registry.ts';
import type { WatchFeed } from './cache/watch-feed.ts';
import { type FlowMetrics, flowMetrics } from './flow/flow-metrics.ts';
import type { RequestInfo } from './http/request-info.ts';

interface EndedRequest {
  /** Undefined where nothing was understood of it. */
  readonly info: RequestInfo | undefined;
  readonly code: number;
  readonly seconds: number;
}

export interface Metrics {
  readonly registry: MetricsRegistry;
  observe(request: EndedRequest): void;
  readonly flow: FlowMetrics;
  tokenUsed(use: { readonly stale: boolean }): void;
}

const seconds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10, 30, 60];

export function createMetrics(feed: WatchFeed, served: Registry): Metrics {
  const registry = new MetricsRegistry();
  collectDefaultMetrics({ register: registry });
  const total = new Counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, resource and HTTP response code.',
    labelNames: ['verb', 'resource', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Response latency by verb and resource; watches are left out.',
    labelNames: ['verb', 'resource'],
    buckets: seconds,
    registers: [registry],
  });
  const tokens = (name: string, help: string): Counter =>
    new Counter({ name: `serviceaccount_${name}_tokens_total`, help, registers: [registry] });
  const staleTokens = tokens('stale', 'Uses of ServiceAccount tokens that should have been renewed and are accepted for old clients.');
  const validTokens = tokens('valid', 'Uses of ServiceAccount tokens.');
  new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Number of stored objects by resource.',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [resource, cache] of feed.caches) this.set({ resource }, cache.size);
    },
  });
  new Gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Watches that are open, by resource.',
    labelNames: ['verb', 'resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [resource, cache] of feed.caches) this.set({ verb: 'WATCH', resource }, cache.listenerCount);
    },
  });
  return {
    registry,
    flow: flowMetrics(registry),
    tokenUsed: ({ stale }) => (stale ? staleTokens : validTokens).inc(),
    observe: ({ info, code, seconds: took }) => {
      const verb = info?.verb ?? '';
      // Only what there is: made-up names would each stay in memory as a label of their own.
      const resource = info && served.rowOf(info.group, info.version, info.resource) ? info.resource : '';
      const labels = { verb: verb.toUpperCase(), resource };
      total.inc({ ...labels, code });
      if (verb !== 'watch') duration.observe(labels, took);
    },
  };
}
