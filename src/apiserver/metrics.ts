/** What the server counts, under upstream's names where they mean the same. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ResourceRow } from '../api/registry/resource-row.ts';
import type { WatchFeed } from './cache/watch-feed.ts';
import { type FlowMetrics, flowMetrics } from './flow/flow-metrics.ts';

export interface ServedRequest {
  readonly verb: string;
  readonly resource: string;
  readonly code: number;
  readonly seconds: number;
}

export interface Metrics {
  readonly registry: Registry;
  observe(request: ServedRequest): void;
  readonly flow: FlowMetrics;
  tokenUsed(use: { readonly stale: boolean }): void;
}

const seconds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10, 30, 60];

export function createMetrics(feed: WatchFeed, rows: readonly ResourceRow[]): Metrics {
  const registry = new Registry();
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
  const storedAs = [...new Set(rows.flatMap((row) => (row.storedAs === undefined ? [] : [row.storedAs])))];
  new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Number of stored objects by resource.',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      for (const resource of storedAs) this.set({ resource }, feed.cache(resource).size);
    },
  });
  new Gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Watches that are open, by resource.',
    labelNames: ['verb', 'resource'],
    registers: [registry],
    collect() {
      for (const resource of storedAs) this.set({ verb: 'WATCH', resource }, feed.cache(resource).listenerCount);
    },
  });
  return {
    registry,
    flow: flowMetrics(registry),
    tokenUsed: ({ stale }) => (stale ? staleTokens : validTokens).inc(),
    observe: ({ verb, resource, code, seconds: took }) => {
      const labels = { verb: verb.toUpperCase(), resource };
      total.inc({ ...labels, code });
      if (verb !== 'watch') duration.observe(labels, took);
    },
  };
}
