/** kube-proxy's metrics under kube-proxy's names and with its labels, in a registry of their own. */
import { readdirSync, readFileSync } from 'node:fs';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import { type Clock, systemClock } from '../clock/clock.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import { familyNames } from './mode/ip-family.ts';
import type { Figures, ModeFigure } from './mode/mode.ts';
import type { ServicePlan } from './plan/service-plan.ts';

function steps(from: number, step: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i * step);
}

const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const programmingBuckets = [0.25, 0.5, ...steps(1, 1, 59), ...steps(60, 5, 12), ...steps(120, 30, 7)];

type ByFamily = 'ip_family';
const byFamily: ByFamily[] = ['ip_family'];

interface Pending {
  readonly pendingServices: number;
  readonly pendingSlices: number;
}

export class ProxyMetrics {
  readonly registry: Registry = new Registry();
  readonly #in = { registers: [this.registry] };
  readonly #histogram = (name: string, help: string, buckets: number[]): Histogram<ByFamily> =>
    new Histogram({ name: `kubeproxy_${name}`, help, buckets, labelNames: byFamily, ...this.#in });
  readonly #counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `kubeproxy_${name}`, help, labelNames, ...this.#in });

  readonly sync: Histogram<ByFamily> = this.#histogram('sync_proxy_rules_duration_seconds', 'How long a sync took', syncBuckets);
  readonly fullSync: Histogram<ByFamily> = this.#histogram(
    'sync_full_proxy_rules_duration_seconds',
    'How long a full sync took',
    syncBuckets,
  );
  readonly partialSync: Histogram<ByFamily> = this.#histogram(
    'sync_partial_proxy_rules_duration_seconds',
    'How long a partial sync took',
    syncBuckets,
  );
  readonly programming: Histogram<ByFamily> = this.#histogram(
    'network_programming_duration_seconds',
    'From the change of a Service or its pods to its rules',
    programmingBuckets,
  );
  readonly healthz: Counter<'code'> = this.#counter('proxy_healthz_total', 'Answers of /healthz', ['code']);
  readonly livez: Counter<'code'> = this.#counter('proxy_livez_total', 'Answers of /livez', ['code']);
  readonly deletedFlows: Counter<ByFamily> = this.#counter(
    'conntrack_reconciler_deleted_entries_total',
    'UDP flows deleted because their endpoint is gone',
    byFamily,
  );
  readonly flowsSync: Histogram<ByFamily> = this.#histogram(
    'conntrack_reconciler_sync_duration_seconds',
    'How long it took to look for UDP flows whose endpoint is gone',
    syncBuckets,
  );
  /** Under the mode's own name. */
  readonly failures: Counter<ByFamily>;

  readonly #plans = new Map<TableFamily, ReadonlyMap<string, ServicePlan>>();
  readonly #served = new Set<TableFamily>();
  /** What of each change is told when somebody asks: a number costs the change nothing. */
  readonly #changes = { service: 0, slice: 0 };
  #pending: Pending = { pendingServices: 0, pendingSlices: 0 };
  #queuedMs = 0;
  readonly #appliedMs = new Map<TableFamily, number>();

  constructor(failures: string, figures: readonly ModeFigure[] = [], clock: Clock = systemClock) {
    this.failures = this.#counter(failures, 'Syncs that the kernel refused', byFamily);
    registerNoLocalEndpoints(this.registry, this.#plans);
    for (const figure of [...this.#figures(), ...figures]) registerFigure(this.registry, figure);
    registerProcess(this.registry, clock);
  }

  #figures(): ModeFigure[] {
    const of = (type: ModeFigure['type'], name: string, help: string, read: () => number): ModeFigure => ({
      ...{ type, name: `sync_proxy_rules_${name}`, help, labels: [] },
      read: () => [[{}, read()]],
    });
    const time = (name: string, help: string, read: () => Iterable<readonly [TableFamily, number]>): ModeFigure => ({
      ...{ type: 'gauge', name: `sync_proxy_rules_${name}_timestamp_seconds`, help, labels: byFamily },
      read: () => Array.from(read(), ([family, ms]) => [{ ip_family: familyNames[family] }, ms / 1000]),
    });
    return [
      of('counter', 'service_changes_total', 'Changes of Services', () => this.#changes.service),
      of('counter', 'endpoint_changes_total', 'Changes of EndpointSlices', () => this.#changes.slice),
      of('gauge', 'service_changes_pending', 'Services that changed since the last sync', () => this.#pending.pendingServices),
      of('gauge', 'endpoint_changes_pending', 'EndpointSlices that changed since the last sync', () => this.#pending.pendingSlices),
      time('last_queued', 'When a sync was last asked for', () => [...this.#served].map((family) => [family, this.#queuedMs])),
      time('last', 'When rules were last applied', () => this.#appliedMs),
    ];
  }

  /** A family is served from now on: what happens seldom is told from the beginning, as 0. */
  opened(family: TableFamily, nowMs: number): void {
    const labels = { ip_family: familyNames[family] };
    this.#served.add(family);
    this.#queuedMs = nowMs;
    this.failures.inc(labels, 0);
    this.deletedFlows.inc(labels, 0);
  }

  synced(family: TableFamily, full: boolean, seconds: number): void {
    const labels = { ip_family: familyNames[family] };
    this.sync.observe(labels, seconds);
    (full ? this.fullSync : this.partialSync).observe(labels, seconds);
  }

  /** `triggers` are the times of the changes that are in the kernel by now. */
  programmed(family: TableFamily, triggers: Iterable<number>, nowMs: number): void {
    for (const trigger of triggers) this.programming.observe({ ip_family: familyNames[family] }, Math.max(0, nowMs - trigger) / 1000);
  }

  /** From now on these are the changes that no sync has taken yet. */
  follow(pending: Pending): void {
    this.#pending = pending;
  }

  changed(what: 'service' | 'slice'): void {
    this.#changes[what]++;
  }

  /** A sync is asked for. */
  queued(nowMs: number): void {
    this.#queuedMs = nowMs;
  }

  /** A sync of a family is done. */
  applied(family: TableFamily, nowMs: number): void {
    this.#appliedMs.set(family, nowMs);
  }

  /** The plans that a family has now. */
  planned(family: TableFamily, plans: ReadonlyMap<string, ServicePlan>): void {
    this.#plans.set(family, plans);
  }
}

/** Counted when somebody asks: after each sync it would be the longest part of it. */
function registerNoLocalEndpoints(registry: Registry, plansOf: ReadonlyMap<TableFamily, ReadonlyMap<string, ServicePlan>>): void {
  new Gauge({
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    help: 'Services with a Local traffic policy and no endpoint on this node',
    labelNames: ['ip_family', 'traffic_policy'],
    registers: [registry],
    collect() {
      for (const [family, plans] of plansOf) {
        const [internal, external] = countNoLocal(plans);
        this.set({ ip_family: familyNames[family], traffic_policy: 'internal' }, internal);
        this.set({ ip_family: familyNames[family], traffic_policy: 'external' }, external);
      }
    },
  });
}

/** Reads what a mode counts when somebody asks. What cannot be read, as of a mode that is closed, takes no other figure away: it stays as it was. */
function registerFigure(registry: Registry, { name, help, type, labels, read }: ModeFigure): void {
  const options = { name: `kubeproxy_${name}`, help, labelNames: [...labels], registers: [registry] };
  if (type === 'gauge') {
    new Gauge({
      ...options,
      async collect() {
        const now = await readable(read);
        if (now) this.reset();
        for (const [values, value] of now ?? []) this.set(values, value);
      },
    });
    return;
  }
  new Counter({
    ...options,
    async collect() {
      const now = await readable(read);
      if (now) this.reset();
      for (const [values, value] of now ?? []) this.inc(values, value);
    },
  });
}

async function readable(read: ModeFigure['read']): Promise<Figures | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}

/** Those of Prometheus's client for Go that dashboards of kube-proxy ask for. */
function registerProcess(registry: Registry, clock: Clock): void {
  const startedAt = clock.now() / 1000 - process.uptime();
  const gauges: readonly (readonly [name: string, help: string, read: () => number])[] = [
    ['process_start_time_seconds', 'When the process started, since 1970', () => startedAt],
    ['process_resident_memory_bytes', 'Memory that the process has', () => process.memoryUsage.rss()],
    ['process_virtual_memory_bytes', 'Memory that the process has asked for', virtualBytes],
    ['process_open_fds', 'Open files and sockets', () => readdirSync('/proc/self/fd').length],
  ];
  for (const [name, help, read] of gauges)
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Time on a processor',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
}

function virtualBytes(): number {
  return Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

/** Services that lack local endpoints under a Local policy: `[internal, external]`. */
export function countNoLocal(plans: ReadonlyMap<string, ServicePlan>): readonly [internal: number, external: number] {
  const internal = new Set<string>();
  const external = new Set<string>();
  for (const [key, plan] of plans)
    for (const { frontends } of plan.ports) {
      if (frontends.some((f) => f.kind === 'cluster-ip' && f.inside === 'drop')) internal.add(key);
      if (frontends.some((f) => f.kind !== 'cluster-ip' && f.outside === 'drop')) external.add(key);
    }
  return [internal.size, external.size];
}
