/**
 * The service proxy: watches Services and EndpointSlices, keeps the kernel's rules in step, answers health checks.
 * Everything that decides is pure and elsewhere (`plan`, `render`); here are only the edges.
 */
import { networkInterfaces } from 'node:os';
import { endpointSlices, nodes, services } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import { InformerSet } from '../client/informers.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import type { Nftables, TableFamily } from '../linux/nftables/table.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { ServiceTable } from './apply/service-table.ts';
import { SyncLoop } from './apply/sync-loop.ts';
import { KernelUdpFlows, UdpCleanUp, type UdpFlows } from './apply/udp-flows.ts';
import { ContestReport } from './contest-report.ts';
import { type Answer, HealthServer, ServiceHealth } from './health.ts';
import { ProxyMetrics } from './metrics.ts';
import { familiesOf, nodeContext } from './node-state.ts';
import type { ProxyOptions } from './options.ts';
import type { NodeContext } from './plan/node-context.ts';
import { tableName } from './render/nftables/layout.ts';
import { ChangeTracker } from './track/change-tracker.ts';

const deletedByAutoscaler = 'ToBeDeletedByClusterAutoscaler';
const defaultSyncPeriodMs = 30_000;
const defaultMinSyncPeriodMs = 20;
const deepVerifyPeriodMs = 3_600_000;

function interfaceIps(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((i) => i.address.split('%')[0] ?? ''));
}

export class ServiceProxy {
  /** Resolves when the rules were applied for the first time. */
  readonly synced: Promise<void>;
  readonly metrics: ProxyMetrics = new ProxyMetrics();
  /** Where /healthz is served, once `startProxy` has resolved. */
  healthzAddress: string | undefined;
  metricsAddress: string | undefined;
  readonly #options: ProxyOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #nft: Nftables;
  readonly #flows: UdpFlows;
  readonly #udp: UdpCleanUp;
  readonly #families: readonly TableFamily[];
  readonly #tables = new Map<TableFamily, ServiceTable>();
  readonly #tracker: ChangeTracker;
  readonly #nodes: Informer<Node>;
  readonly #informers: InformerSet;
  readonly #loop: SyncLoop;
  readonly #stop = new AbortController();
  readonly #markSynced: () => void;
  readonly #health: ServiceHealth;
  readonly #contests: ContestReport;
  readonly #servers: HealthServer[] = [];
  #nodeChanged = true;
  #started = false;
  #queuedAt: number | undefined;
  #lastSync = 0;
  #generation = 0;
  #commits = 0;
  #deeplyVerified = 0;
  #touched = false;
  #watch: { close(): void } | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    const nft = options.nftables ?? new KernelNftables();
    this.#nft = nft;
    this.#flows = options.udpFlows ?? new KernelUdpFlows();
    this.#udp = new UdpCleanUp(this.#flows);
    this.#families = familiesOf(options);
    this.#informers = options.informers ?? new InformerSet(options.client, { clock: this.#clock, log: this.#log });
    this.#nodes = this.#informers.of(nodes, { fieldSelector: `metadata.name=${options.nodeName}` });
    const sources = { services: this.#informers.of(services), slices: this.#informers.of(endpointSlices), nodes: this.#nodes };
    this.#tracker = new ChangeTracker(sources, { changed: (what) => this.#onChange(what) });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    this.#health = new ServiceHealth(() => this.#isAlive(), this.#log);
    const { client, nodeName } = options;
    const recorder = new EventRecorder({ client, component: 'kube-proxy', host: nodeName, clock: this.#clock, log: this.#log });
    this.#contests = new ContestReport({
      log: this.#log,
      service: (key) => this.#tracker.service(key),
      event: (about, reason, message) => recorder.event(about, 'Warning', reason, message),
    });
    this.#loop = new SyncLoop({
      sync: () => this.#sync(),
      verify: () => this.#verify(),
      minSyncPeriodMs: options.minSyncPeriodMs ?? defaultMinSyncPeriodMs,
      syncPeriodMs: this.#syncPeriodMs,
      clock: this.#clock,
      log: this.#log,
      onFailure: (err) => {
        this.metrics.failures.inc();
        // Also when nothing changed but somebody took the rules away: from now on /healthz waits for them.
        this.#queuedAt ??= this.#clock.now();
        const about = this.#nodes.get(options.nodeName);
        if (about) recorder.event(about, 'Warning', 'ProxySyncFailed', messageOf(err));
        for (const table of this.#tables.values()) table.distrust();
      },
    });
  }

  get #syncPeriodMs(): number {
    return this.#options.syncPeriodMs ?? defaultSyncPeriodMs;
  }

  /** Begins; listens on the health addresses first, so that a taken port is told at once. */
  async start(): Promise<void> {
    const { healthzAddress, metricsAddress } = this.#options;
    // A kernel without nf_tables is told at once, and not with every attempt.
    this.#generation = await this.#nft.generation();
    const healthz = (): Answer => this.#answerHealth(true);
    if (healthzAddress)
      this.healthzAddress = await this.#listen(healthzAddress, { '/healthz': healthz, '/livez': () => this.#answerHealth(false) });
    if (metricsAddress)
      this.metricsAddress = await this.#listen(metricsAddress, {
        '/healthz': healthz,
        '/proxyMode': () => ({ code: 200, body: 'nftables' }),
        '/metrics': async () => ({ code: 200, body: await this.metrics.registry.metrics(), type: this.metrics.registry.contentType }),
      });
    if (!this.#options.informers) void this.#informers.start(this.#stop.signal);
    this.#options.signal?.addEventListener('abort', () => void this.close(), { once: true });
    // Rules made from half of the objects would refuse what the other half serves.
    void this.#tracker.synced.then(() => {
      this.#started = true;
      this.#deeplyVerified = this.#clock.monotonic();
      this.#request();
      this.#loop.watch();
      this.#watch = this.#nft.watch(tableName, () => {
        this.#touched = true;
        this.#loop.suspect();
      });
    });
  }

  async #listen(address: string, routes: Readonly<Record<string, () => Answer | Promise<Answer>>>): Promise<string> {
    const server = new HealthServer(routes);
    const bound = await server.listen(address);
    this.#servers.push(server);
    return bound;
  }

  #onChange(what: 'service' | 'slice' | 'node'): void {
    if (what === 'node') this.#nodeChanged = true;
    else (what === 'service' ? this.metrics.services : this.metrics.endpoints).inc();
    this.#request();
  }

  #request(): void {
    if (!this.#started) return;
    this.#queuedAt ??= this.#clock.now();
    this.metrics.lastQueued.set(this.#clock.now() / 1000);
    this.metrics.servicesPending.set(this.#tracker.pendingServices);
    this.metrics.endpointsPending.set(this.#tracker.pendingSlices);
    this.#loop.request();
  }

  /** Makes new tables of those families whose node context changed. */
  async #followNode(): Promise<void> {
    const node = this.#nodes.get(this.#options.nodeName);
    const ips = interfaceIps();
    for (const family of this.#families) {
      const context = nodeContext(this.#options, node, family, ips);
      const table = this.#tables.get(family);
      if (table && JSON.stringify(table.node) === JSON.stringify(context)) continue;
      await this.#newContext(family, table, context);
      this.#tracker.markAll();
    }
    this.#nodeChanged = this.#nodes.get(this.#options.nodeName) !== node;
  }

  async #newContext(family: TableFamily, table: ServiceTable | undefined, context: NodeContext): Promise<void> {
    if (table) {
      table.reset(context);
      return;
    }
    const fresh = new ServiceTable(
      {
        ...bound(this.#nft),
        commit: async (transaction) => {
          await this.#nft.commit(transaction);
          if (transaction.ops.length > 0) this.#commits++;
        },
      },
      context,
    );
    await fresh.open();
    this.#tables.set(family, fresh);
  }

  async #sync(): Promise<void> {
    const begunAt = this.#clock.now();
    if (this.#nodeChanged) await this.#followNode();
    const { services: changed, triggers } = this.#tracker.take();
    // Every table first learns what changed: if the kernel then refuses one, nothing is forgotten for the other.
    for (const [family, table] of this.#tables) for (const key of changed) this.#put(family, table, key);
    for (const [family, table] of this.#tables) {
      const begun = this.#clock.monotonic();
      const { full, steps } = await table.sync();
      const took = (this.#clock.monotonic() - begun) / 1000;
      const labels = { ip_family: family === 'ip' ? 'IPv4' : 'IPv6' };
      this.metrics.sync.observe(labels, took);
      (full ? this.metrics.fullSync : this.metrics.partialSync).observe(labels, took);
      for (const trigger of triggers) this.metrics.programming.observe(labels, Math.max(0, this.#clock.now() - trigger) / 1000);
      if (steps > 0) this.#log.debug('Applied rules', { family, full, steps, services: changed.size, seconds: took });
    }
    this.#lastSync = this.#clock.now();
    if (this.#queuedAt !== undefined && this.#queuedAt <= begunAt) this.#queuedAt = this.#tracker.pendingServices > 0 ? begunAt : undefined;
    this.metrics.lastSync.set(this.#lastSync / 1000);
    this.metrics.servicesPending.set(this.#tracker.pendingServices);
    this.metrics.endpointsPending.set(this.#tracker.pendingSlices);
    this.#markSynced();
    await this.#afterSync();
  }

  #put(family: TableFamily, table: ServiceTable, key: string): void {
    const before = table.plans.get(key);
    try {
      table.put(key, this.#tracker.service(key), this.#tracker.slicesOf(key));
    } catch (err) {
      // All others would wait for this one.
      this.#log.error(`Cannot plan Service "${key}", its rules stay as they are: ${messageOf(err)}`);
    }
    this.#udp.changed(family, before, table.plans.get(key));
  }

  async #afterSync(): Promise<void> {
    this.#contests.update([...this.#tables.values()].map((table) => table.contests));
    const [first] = this.#tables.values();
    if (first) {
      await this.#health.update(first.plans);
      this.#countNoLocal(first);
    }
    try {
      this.metrics.deletedFlows.inc(await this.#udp.run(this.#tables));
    } catch (err) {
      this.#log.warn(`Cannot clean up UDP flows: ${messageOf(err)}`);
    }
  }

  #countNoLocal(table: ServiceTable): void {
    let internal = 0;
    let external = 0;
    for (const plan of table.plans.values()) {
      const frontends = plan.ports.flatMap((port) => port.frontends);
      if (frontends.some((f) => f.kind === 'cluster-ip' && f.inside === 'drop')) internal++;
      if (frontends.some((f) => f.kind !== 'cluster-ip' && f.outside === 'drop')) external++;
    }
    this.metrics.noLocalEndpoints.set({ traffic_policy: 'internal' }, internal);
    this.metrics.noLocalEndpoints.set({ traffic_policy: 'external' }, external);
  }

  /** Whether anybody else changed rules since the last look; then everything is compared again. */
  async #verify(): Promise<void> {
    const generation = await this.#nft.generation();
    const expected = this.#generation + this.#commits;
    this.#generation = generation;
    this.#commits = 0;
    // Interfaces come and go without a word.
    this.#nodeChanged = true;
    const touched = this.#touched && generation !== expected;
    this.#touched = false;
    const deep = touched || this.#clock.monotonic() - this.#deeplyVerified >= deepVerifyPeriodMs;
    if (deep) this.#deeplyVerified = this.#clock.monotonic();
    if (deep || generation !== expected) for (const table of this.#tables.values()) await table.verify(deep);
  }

  /** Whether syncs keep up: none waits for longer than two periods. */
  #isAlive(): boolean {
    return this.#lastSync > 0 && (this.#queuedAt === undefined || this.#clock.now() - this.#queuedAt < 2 * this.#syncPeriodMs);
  }

  #answerHealth(eligible: boolean): Answer {
    const node = this.#nodes.get(this.#options.nodeName);
    const leaving =
      node !== undefined &&
      (node.metadata.deletionTimestamp !== undefined || (node.spec?.taints ?? []).some((taint) => taint.key === deletedByAutoscaler));
    const code = this.#isAlive() && !(eligible && leaving) ? 200 : 503;
    (eligible ? this.metrics.healthz : this.metrics.livez).inc({ code: String(code) });
    const families = Object.fromEntries(this.#families.map((f) => [f === 'ip' ? 'IPv4' : 'IPv6', { healthy: this.#isAlive() }]));
    const body = {
      lastUpdated: new Date(this.#lastSync).toISOString(),
      currentTime: new Date(this.#clock.now()).toISOString(),
      ...(eligible ? { nodeEligible: !leaving } : {}),
      status: families,
    };
    return { code, type: 'application/json', body: `${JSON.stringify(body)}\n` };
  }

  /** Stops. The rules stay: traffic goes on while the proxy is replaced. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#watch?.close();
    await this.#loop.stop();
    await this.#health.close();
    await Promise.all(this.#servers.map((server) => server.close()));
    if (!this.#options.nftables) this.#nft.close();
    if (!this.#options.udpFlows) this.#flows.close();
  }
}

/** The methods of an object as a plain one, so that some can be replaced. */
function bound(nft: Nftables): Nftables {
  return {
    commit: (transaction) => nft.commit(transaction),
    read: (family, table, except) => nft.read(family, table, except),
    readElements: (family, table, set) => nft.readElements(family, table, set),
    generation: () => nft.generation(),
    watch: (table, onChange) => nft.watch(table, onChange),
    close: () => nft.close(),
  };
}

/**
 * Starts the proxy in the network namespace of this process. Resolves when it listens and watches; `synced` tells when the
 * rules are there. Throws PORT_TAKEN, KERNEL_FEATURE_MISSING, BAD_CONFIG.
 */
export async function startProxy(options: ProxyOptions): Promise<ServiceProxy> {
  if (options.mode !== undefined && options.mode !== 'nftables')
    throw new KnownError('BAD_CONFIG', `Cannot start the proxy in mode "${String(options.mode)}": it is not supported`, {
      hint: 'Use mode nftables',
    });
  const proxy = new ServiceProxy(options);
  await proxy.start();
  return proxy;
}

/** Removes every rule that a proxy left behind; without `given`, in the network namespace of this process. */
export async function cleanUpProxy(given?: Nftables): Promise<void> {
  const own = given ? undefined : new KernelNftables();
  const nft = given ?? own!;
  try {
    for (const family of ['ip', 'ip6'] as const)
      if (await nft.read(family, tableName)) await nft.commit({ family, table: tableName, ops: [{ op: 'delete-table' }] });
  } finally {
    own?.close();
  }
}
