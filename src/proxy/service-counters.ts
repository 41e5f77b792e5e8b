/** What was counted for Services, as metrics. Nothing is read until somebody asks, and then once for all of them. */
import Counter from 'prom-client/lib/counter.js';
import Registry from 'prom-client/lib/registry.js';
import type { Page } from '../observability/health-pages.ts';
import type { EndpointCount, ServiceCount } from './mode/mode.ts';
import { amounts, endpointMetrics, endpointsPath, type MetricName, serviceMetrics } from './service-metrics.ts';

export type Read = (of: 'ports' | 'endpoints') => Promise<readonly ServiceCount[]>;

const endpointAmounts = ['connections', 'received', 'sent'] as const;

/** The sum of two counts; what neither has is absent. */
function both<T extends object>(one: T | undefined, other: T, what: readonly (keyof T)[]): T {
  const sums = what.flatMap((amount) => {
    const values = [one?.[amount], other[amount]].filter((value) => value !== undefined) as unknown as number[];
    return values.length === 0 ? [] : [[amount, values.reduce((a, b) => a + b)] as const];
  });
  return { ...other, ...Object.fromEntries(sums) };
}

function endpointsOf(one: readonly EndpointCount[] = [], other: readonly EndpointCount[] = []): readonly EndpointCount[] {
  if (one.length === 0 || other.length === 0) return one.length === 0 ? other : one;
  const sums = new Map(one.map((count) => [count.endpoint, count]));
  for (const count of other) sums.set(count.endpoint, both(sums.get(count.endpoint), count, endpointAmounts));
  return [...sums.values()];
}

/** Each port once: families, and rules beside relays, count for themselves. Without ports where nothing was counted. */
export function summed(counts: Iterable<ServiceCount>): ServiceCount[] {
  const sums = new Map<string, ServiceCount>();
  for (const count of counts) {
    if (amounts.every((amount) => !count[amount])) continue;
    const name = `${count.service} ${count.port} ${count.protocol}`;
    const before = sums.get(name);
    const endpoints = endpointsOf(before?.endpoints, count.endpoints);
    sums.set(name, { ...both(before, count, amounts), ...(endpoints.length > 0 ? { endpoints } : {}) });
  }
  return [...sums.values()];
}

/** One reading for all who ask meanwhile. */
function shared(read: Read, of: 'ports' | 'endpoints'): () => Promise<readonly ServiceCount[]> {
  let reading: Promise<readonly ServiceCount[]> | undefined;
  return () => {
    reading ??= read(of)
      .then(summed)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
}

type Labels = Record<string, string>;

function labelsOf({ service, port, protocol }: ServiceCount): Labels {
  const [namespace = '', name = ''] = service.split('/');
  return { namespace, service: name, port, protocol: protocol.toUpperCase() };
}

/** A counter that has the values that `read` gives whenever somebody asks. */
function register(registry: Registry, metric: MetricName, labelNames: string[], read: () => Promise<Iterable<readonly [Labels, number]>>) {
  new Counter({
    ...metric,
    labelNames,
    registers: [registry],
    async collect() {
      const values = await read();
      this.reset();
      for (const [labels, value] of values) if (value) this.inc(labels, value);
    },
  });
}

const labelNames = ['namespace', 'service', 'port', 'protocol'];

/** Those of ports go to `registry`; gives those of endpoints. */
export function registerServiceCounters(registry: Registry, read: Read): Registry {
  const [readPorts, readEndpoints] = [shared(read, 'ports'), shared(read, 'endpoints')];
  const ofEndpoints = new Registry();
  for (const amount of amounts)
    register(registry, serviceMetrics[amount], labelNames, async () =>
      (await readPorts()).map((count) => [labelsOf(count), count[amount] ?? 0] as const),
    );
  for (const amount of endpointAmounts)
    register(ofEndpoints, endpointMetrics[amount], [...labelNames, 'endpoint'], async () =>
      (await readEndpoints()).flatMap((count) =>
        (count.endpoints ?? []).map((of) => [{ ...labelsOf(count), endpoint: of.endpoint }, of[amount] ?? 0] as const),
      ),
    );
  return ofEndpoints;
}

/** What Prometheus asks for: everything, and endpoints by themselves. `read`: when Services are counted. */
export function metricsPages(registry: Registry, read: Read | undefined): readonly (readonly [path: string, page: () => Promise<Page>])[] {
  const page = (of: Registry) => async (): Promise<Page> => ({ code: 200, body: await of.metrics(), type: of.contentType });
  const all = ['/metrics', page(registry)] as const;
  return read ? [all, [endpointsPath, page(registerServiceCounters(registry, read))]] : [all];
}
