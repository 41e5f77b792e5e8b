/**
 * CoreDNS's metrics under CoreDNS's names. Counting is a few additions per question; prom-client sees the sums only when somebody reads
 * them.
 */
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { TYPE } from './message/names.ts';
import type { CacheStatistics } from './plugin/cache/cache.ts';
import type { ForwardStatistics } from './plugin/forward/forward.ts';
import type { ReplyInfo, Transport } from './server/responder.ts';

const secondsBuckets = [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192];
const bytesBuckets = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
const programmingBuckets = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);
const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const types = new Map<number, string>([...Object.entries(TYPE).map(([name, n]) => [n, name] as const), [65, 'HTTPS'], [64, 'SVCB']]);

/** A histogram whose counts are plain numbers, in the shape that prom-client prints. */
class Distribution {
  readonly name: string;
  readonly #help: string;
  readonly #buckets: readonly number[];
  readonly #labels: readonly string[];
  readonly #series = new Map<string, { readonly values: readonly string[]; readonly counts: number[]; sum: number; total: number }>();

  constructor(registry: Registry, name: string, help: string, buckets: readonly number[], labels: readonly string[]) {
    this.name = name;
    this.#help = help;
    this.#buckets = buckets;
    this.#labels = labels;
    // What the registry asks of a metric is a name and get().
    registry.registerMetric(this as unknown as Metric);
  }

  observe(value: number, ...values: readonly string[]): void {
    const key = values.join('|');
    let series = this.#series.get(key);
    if (!series) {
      series = { values, counts: this.#buckets.map(() => 0), sum: 0, total: 0 };
      this.#series.set(key, series);
    }
    series.sum += value;
    series.total++;
    let at = 0;
    while (at < this.#buckets.length && value > (this.#buckets[at] ?? 0)) at++;
    if (at < series.counts.length) series.counts[at] = (series.counts[at] ?? 0) + 1;
  }

  get(): object {
    const values: { value: number; labels: object; metricName: string }[] = [];
    for (const series of this.#series.values()) {
      const labels = Object.fromEntries(this.#labels.map((label, i) => [label, series.values[i] ?? '']));
      let below = 0;
      for (const [i, le] of this.#buckets.entries()) {
        below += series.counts[i] ?? 0;
        values.push({ value: below, labels: { le, ...labels }, metricName: `${this.name}_bucket` });
      }
      values.push({ value: series.total, labels: { le: '+Inf', ...labels }, metricName: `${this.name}_bucket` });
      values.push({ value: series.sum, labels, metricName: `${this.name}_sum` });
      values.push({ value: series.total, labels, metricName: `${this.name}_count` });
    }
    return { name: this.name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}

/** Sums by labels, given to a Counter when it is read. */
class Tally {
  readonly #sums = new Map<string, { readonly values: readonly string[]; n: number }>();

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    const sums = this.#sums;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const { values, n } of sums.values()) this.labels(...values).inc(n);
      },
    });
  }

  add(...values: readonly string[]): void {
    const key = values.join('|');
    const sum = this.#sums.get(key);
    if (sum) sum.n++;
    else this.#sums.set(key, { values, n: 1 });
  }
}

export interface DnsMetricsOptions {
  readonly zone: string;
  readonly cache: CacheStatistics;
  readonly forward: ForwardStatistics;
  /** Of the first address that is listened on: `dns://:53`. */
  readonly server: string;
}

export class DnsMetrics {
  readonly registry: Registry = new Registry();
  readonly #zone: string;
  readonly #server: string;
  readonly #requests: Tally;
  readonly #dnssec: Tally;
  readonly #responses: Tally;
  readonly #duration: Distribution;
  readonly #requestSize: Distribution;
  readonly #responseSize: Distribution;
  readonly #programming: Distribution;

  constructor(options: DnsMetricsOptions) {
    const { registry } = this;
    const { cache, forward, server } = options;
    this.#zone = options.zone;
    this.#server = server;
    const where = ['server', 'zone', 'view'];
    const tally = (name: string, help: string, labels: string[]): Tally => new Tally(registry, `coredns_${name}`, help, labels);
    const spread = (name: string, help: string, buckets: readonly number[], labels: string[]): Distribution =>
      new Distribution(registry, `coredns_${name}`, help, buckets, labels);
    this.#requests = tally('dns_requests_total', 'Counter of DNS requests made per zone, protocol and family.', [
      ...where,
      'proto',
      'family',
      'type',
    ]);
    this.#dnssec = tally('dns_do_requests_total', 'Counter of DNS requests with DO bit set per zone.', where);
    this.#responses = tally('dns_responses_total', 'Counter of response status codes.', [...where, 'rcode', 'plugin']);
    this.#duration = spread(
      'dns_request_duration_seconds',
      'Histogram of the time (in seconds) each request took per zone.',
      secondsBuckets,
      where,
    );
    this.#requestSize = spread(
      'dns_request_size_bytes',
      'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.',
      bytesBuckets,
      [...where, 'proto'],
    );
    this.#responseSize = spread('dns_response_size_bytes', 'Size of the returned response in bytes.', bytesBuckets, [...where, 'proto']);
    this.#programming = spread(
      'kubernetes_dns_programming_duration_seconds',
      'Histogram of the time (in seconds) it took to program a dns instance.',
      programmingBuckets,
      ['service_kind'],
    );
    const sum = (name: string, help: string, labels: Record<string, string>, read: () => number): void => {
      new Counter({
        name: `coredns_${name}`,
        help,
        labelNames: Object.keys(labels),
        registers: [registry],
        collect() {
          this.reset();
          this.inc(labels, read());
        },
      });
    };
    const caching = { server, zones: '.', view: '' };
    sum('cache_requests_total', 'The count of cache requests.', caching, () => cache.hits + cache.misses);
    sum('cache_hits_total', 'The count of cache hits.', { ...caching, type: 'success' }, () => cache.hits);
    sum('cache_misses_total', 'The count of cache misses.', caching, () => cache.misses);
    sum('cache_evictions_total', 'The count of cache evictions.', { ...caching, type: 'success' }, () => cache.evictions);
    sum(
      'forward_max_concurrent_rejects_total',
      'Queries rejected because the concurrent queries were at maximum.',
      {},
      () => forward.rejected,
    );
    sum('forward_healthcheck_broken_total', 'Counter of the number of complete failures of the healthchecks.', {}, () => forward.broken);
    new Counter({
      name: 'coredns_proxy_healthcheck_failures_total',
      help: 'Counter of the number of failed healthchecks.',
      labelNames: ['proxy_name', 'to'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [to, n] of forward.failedChecks) this.inc({ proxy_name: 'forward', to }, n);
      },
    });
    new Gauge({
      name: 'coredns_cache_entries',
      help: 'The number of elements in the cache.',
      labelNames: ['server', 'type', 'zones', 'view'],
      registers: [registry],
      collect() {
        this.set({ ...caching, type: 'success' }, cache.entries);
      },
    });
  }

  readonly observe = (info: ReplyInfo, transport: Transport, family: 4 | 6, seconds: number): void => {
    const { name, type, rcode, size } = info;
    const zone = name === this.#zone || name.endsWith(`.${this.#zone}`) ? `${this.#zone}.` : '.';
    const server = this.#server;
    this.#requests.add(server, zone, '', transport, family === 6 ? '2' : '1', types.get(type) ?? 'other');
    this.#responses.add(server, zone, '', rcodes[rcode] ?? (rcode === 16 ? 'BADVERS' : String(rcode)), '');
    if (info.wantsDnssec) this.#dnssec.add(server, zone, '');
    this.#duration.observe(seconds, server, zone, '');
    this.#requestSize.observe(info.room, server, zone, '', transport);
    this.#responseSize.observe(size, server, zone, '', transport);
  };

  /** `seconds` from the change of a pod to its name. */
  programmed(kind: 'cluster_ip' | 'headless_with_selector' | 'headless_without_selector', seconds: number): void {
    this.#programming.observe(seconds, kind);
  }
}
