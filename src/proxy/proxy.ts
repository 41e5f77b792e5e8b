/**
 * The service proxy: watches Services and EndpointSlices, keeps the kernel's rules in step, answers health checks.
 * Everything that decides is elsewhere (`plan`, `mode`); here are only the edges.
 */
import { endpointSlices, nodes, serviceCidrs, services } from '../api/resource-types.ts';
import type { Node, ServiceCIDR } from '../api/schema/types.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import { InformerSet } from '../client/informers.ts';
import { registerWatchAge } from '../client/watch-age.ts';
import { onAbort } from '../clock/aborted.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { KernelNatHold, type NatHold } from '../linux/nftables/nat-hold.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import { boundAddress, type HealthPages, type Page, servePages } from '../observability/health-pages.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { FamilyProxy } from './family.ts';
import { FlowCleanUp, type Flows, KernelFlows } from './flow-clean-up.ts';
import { ServiceHealth } from './health.ts';
import { Liveness } from './liveness.ts';
import { ProxyMetrics } from './metrics.ts';
import { familyNames } from './mode/ip-family.ts';
import type { Mode, ServiceCount } from './mode/mode.ts';
import { defaultMode } from './mode/modes.ts';
import { KernelNodeHost, type NodeHost } from './node-host.ts';
import { isNodeNews, NodeView, slimNode } from './node-view.ts';
import { openMode } from './open-mode.ts';
import type { ProxyOptions } from './options.ts';
import { cleanOtherModes } from './other-modes.ts';
import { refusalOf } from './plan/algorithm.ts';
import type { NodeContext } from './plan/node-context.ts';
import type { Planner } from './plan/planner.ts';
import { ownServices } from './plan/reserved.ts';
import { metricsPages } from './service-counters.ts';
import { ServiceReport } from './service-report.ts';
import { statusPages } from './status-pages.ts';
import { SyncLoop } from './sync-loop.ts';
import { TakeOver } from './take-over.ts';
import { ChangeTracker } from './track/change-tracker.ts';
import { slimService, slimSlice } from './track/slim.ts';
import { explained } from './usable-modes.ts';

const defaultSyncPeriodMs = 30_000;
const defaultMinSyncPeriodMs = 20;
/** API servers before 1.33 may have no ServiceCIDRs, and older roles do not allow reading them: rules do not wait for ever. */
const serviceCidrsPatienceMs = 2000;

export class ServiceProxy {
  /** Resolves when the rules were applied for the first time. */
  readonly synced: Promise<void>;
  readonly metrics: ProxyMetrics;
  /** Where /healthz is served, once `startProxy` has resolved. */
  healthzAddress: string | undefined;
  metricsAddress: string | undefined;
  readonly #options: ProxyOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #mode: Mode;
  readonly #natHold: NatHold | undefined;
  readonly #flows: Flows;
  readonly #host: NodeHost;
  readonly #flowCleanUp: FlowCleanUp;
  readonly #families = new Map<TableFamily, FamilyProxy>();
  readonly #tracker: ChangeTracker;
  readonly #nodes: Informer<Node>;
  readonly #serviceCidrs: Informer<ServiceCIDR>;
  readonly #view: NodeView;
  readonly #informers: InformerSet;
  readonly #loop: SyncLoop;
  readonly #stop = new AbortController();
  readonly #markSynced: () => void;
  readonly #liveness: Liveness;
  readonly #health: ServiceHealth;
  readonly #report: ServiceReport;
  readonly #takeOver: TakeOver;
  #pages: HealthPages | undefined;
  /** What the view says may be news; `look`: so may be what the kernel says. */
  #viewDue: 'no' | 'yes' | 'look' = 'look';
  #started = false;
  #watch: { close(): void } | undefined;
  #closing: Promise<void> | undefined;
  /** Whether somebody else closes the mode. */
  #isModeKept: boolean;

  constructor(options: ProxyOptions, mode: Mode) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#mode = mode;
    this.#isModeKept = options.rules !== undefined;
    this.metrics = new ProxyMetrics(this.#mode.failuresMetric, this.#mode.figures, this.#clock);
    this.#natHold = options.natHold ?? (options.rules ? undefined : new KernelNatHold());
    this.#flows = options.flows ?? new KernelFlows();
    this.#host = options.host ?? new KernelNodeHost();
    this.#flowCleanUp = new FlowCleanUp(this.#flows);
    this.#informers = options.informers ?? new InformerSet(options.client, { clock: this.#clock, log: this.#log });
    this.#nodes = this.#informers.of(nodes, { transform: slimNode });
    this.#serviceCidrs = this.#informers.of(serviceCidrs);
    const { readsAlone = options.informers === undefined } = options;
    const sources = {
      services: this.#informers.of(services, readsAlone ? { transform: slimService } : {}),
      slices: this.#informers.of(endpointSlices, readsAlone ? { transform: slimSlice } : {}),
    };
    this.#tracker = new ChangeTracker(sources, { changed: (what, keys) => this.#onChange(what, keys) }, this.#stop.signal);
    this.#view = new NodeView({
      proxy: options,
      nodes: this.#nodes,
      serviceCidrs: this.#serviceCidrs,
      slicesOf: (key) => this.#tracker.slicesOf(key),
      host: this.#host,
      ownListeners: () => [...(this.#mode.listeners?.() ?? []), ...(options.otherListeners?.() ?? [])],
      log: this.#log,
    });
    this.#followCluster();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    this.#liveness = new Liveness(this.#clock, this.#syncPeriodMs);
    this.#health = new ServiceHealth(() => this.#liveness.isAlive, this.#log);
    const { client, nodeName } = options;
    const recorder = new EventRecorder({ client, component: 'kube-proxy', host: nodeName, clock: this.#clock, log: this.#log });
    this.#report = new ServiceReport({
      log: this.#log,
      service: (key) => this.#tracker.service(key),
      event: (about, reason, message) => recorder.event(about, 'Warning', reason, message),
    });
    const { rules, cleanOthers = rules ? async () => true : cleanOtherModes } = options;
    this.#takeOver = new TakeOver(async () => {
      await mode.cleanUpElsewhere?.();
      return await cleanOthers(mode.name, this.#log);
    }, this.#log);
    this.#loop = new SyncLoop({
      sync: () => this.#sync(),
      verify: (isWaiting) => this.#verify(isWaiting),
      minSyncPeriodMs: options.minSyncPeriodMs ?? defaultMinSyncPeriodMs,
      syncPeriodMs: this.#syncPeriodMs,
      clock: this.#clock,
      log: this.#log,
      onFailure: (err) => {
        // Also when nothing changed but somebody took the rules away: from now on /healthz waits for them.
        this.#liveness.queued();
        if (this.#view.node) recorder.event(this.#view.node, 'Warning', 'ProxySyncFailed', messageOf(err));
        for (const family of this.#families.values()) family.distrust();
      },
    });
  }

  get #syncPeriodMs(): number {
    return this.#options.syncPeriodMs ?? defaultSyncPeriodMs;
  }

  /** Begins; listens on the health addresses first, so that a taken port is told at once. */
  async start(): Promise<void> {
    const { healthzAddress, metricsAddress } = this.#options;
    await this.#natHold?.hold();
    // A kernel that cannot is told at once, and not with every attempt.
    await this.#mode.probe();
    const refusal = refusalOf(this.#options.algorithm, this.#mode.name, this.#mode.algorithms);
    if (refusal !== undefined) this.#log.warn(refusal, { hint: 'Choose another scheduler, or another proxy mode' });
    const healthz = (): Page => this.#answerHealth(true);
    const counted = this.#options.serviceCounters === false ? undefined : this.#counts.bind(this);
    const told = [...statusPages(this.#options, this.#clock), ...metricsPages(this.metrics.registry, counted)];
    this.#pages = await servePages([
      [healthzAddress, '/healthz', healthz],
      [healthzAddress, '/livez', () => this.#answerHealth(false)],
      [metricsAddress, '/healthz', healthz],
      [metricsAddress, '/proxyMode', () => ({ code: 200, body: this.#mode.name })],
      ...told.map(([path, page]) => [metricsAddress, path, page] as const),
    ]);
    const bound = (address = ''): string => boundAddress(address, this.#pages?.ports.get(address) ?? 0);
    if (healthzAddress !== undefined) this.healthzAddress = bound(healthzAddress);
    if (metricsAddress !== undefined) this.metricsAddress = bound(metricsAddress);
    registerWatchAge(this.metrics.registry, () => this.#informers.agesMs);
    if (!this.#options.informers) void this.#informers.start(this.#stop.signal);
    if (this.#options.signal) onAbort(this.#options.signal, () => void this.close());
    // Rules made from half of the objects would refuse what the other half serves.
    const ranges = Promise.race([this.#serviceCidrs.synced, this.#clock.sleep(serviceCidrsPatienceMs, this.#stop.signal).catch(() => {})]);
    void Promise.all([this.#tracker.synced, this.#nodes.synced, ranges]).then(() => this.#begin());
  }

  #begin(): void {
    if (this.#stop.signal.aborted) return;
    this.#started = true;
    this.#request();
    this.#loop.watch();
    this.#host.watch(() => this.#onView('look'));
    this.#watch = this.#mode.watch(() => this.#loop.suspect());
  }

  /** A look at the node is due for other reasons than the node's own. */
  #followCluster(): void {
    const changed = (): void => this.#onView('yes');
    const { signal } = this.#stop;
    this.#serviceCidrs.on({ add: changed, update: changed, delete: changed }, signal);
    this.#nodes.on({ add: changed, update: (now, before) => (isNodeNews(now, before) ? changed() : undefined), delete: changed }, signal);
  }

  #onView(due: 'yes' | 'look'): void {
    if (this.#viewDue !== 'look') this.#viewDue = due;
    this.#request();
  }

  #onChange(what: 'service' | 'slice', keys: readonly string[]): void {
    (what === 'service' ? this.metrics.services : this.metrics.endpoints).inc();
    if (keys.some((key) => ownServices.has(key))) this.#onView('yes');
    else this.#request();
  }

  #request(): void {
    if (!this.#started) return;
    this.#liveness.queued();
    for (const family of this.#families.keys()) this.metrics.lastQueued.set({ ip_family: familyNames[family] }, this.#clock.now() / 1000);
    this.metrics.pending(this.#tracker);
    this.#loop.request();
  }

  /** Makes new tables of those families whose node context changed, and tells all what is reserved. */
  async #followView(): Promise<void> {
    const due = this.#viewDue;
    this.#viewDue = 'no';
    try {
      if (due === 'look') await this.#view.look();
      if (this.#view.reserve()) for (const proxy of this.#families.values()) proxy.planner.reserve(this.#view.reserved);
      for (const [family, context] of this.#view.contexts()) {
        const known = this.#families.get(family);
        if (known && JSON.stringify(known.planner.node) === JSON.stringify(context)) continue;
        if (known) known.reset(context);
        else await this.#open(family, context);
        this.#tracker.markAll();
      }
    } catch (err) {
      this.#viewDue = 'look';
      throw err;
    }
  }

  async #open(family: TableFamily, context: NodeContext): Promise<void> {
    this.metrics.opened(family, this.#clock.now());
    const fresh = await this.#refusable(family, () => FamilyProxy.open(this.#mode, context));
    fresh.planner.reserve(this.#view.reserved);
    this.#families.set(family, fresh);
  }

  async #refusable<T>(family: TableFamily, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      this.metrics.failures.inc({ ip_family: familyNames[family] });
      throw err;
    }
  }

  async #sync(): Promise<void> {
    const begunAt = this.#clock.now();
    if (this.#viewDue !== 'no') await this.#followView();
    const { services: changed, triggers } = this.#tracker.take();
    // Every family first learns what changed: if the kernel then refuses one, nothing is forgotten for the other.
    const planningMs = new Map<TableFamily, number>();
    for (const [family, proxy] of this.#families) {
      const begun = this.#clock.monotonic();
      for (const key of changed) this.#put(proxy, key);
      proxy.settle((before, after) => this.#flowCleanUp.changed(family, before, after));
      planningMs.set(family, this.#clock.monotonic() - begun);
    }
    for (const [family, proxy] of this.#families) {
      const begun = this.#clock.monotonic();
      const { full, steps } = await this.#refusable(family, () => proxy.sync());
      const took = ((planningMs.get(family) ?? 0) + this.#clock.monotonic() - begun) / 1000;
      this.metrics.synced(family, full, took);
      this.metrics.programmed(family, triggers, this.#clock.now());
      if (full && steps > 0) this.#flowCleanUp.rulesWereMissing(family);
      if (steps > 0) this.#log.debug('Applied rules', { family, full, steps, services: changed.size, seconds: took });
    }
    const syncedAt = this.#liveness.synced(begunAt, this.#tracker.pendingServices > 0) / 1000;
    for (const family of this.#families.keys()) this.metrics.lastSync.set({ ip_family: familyNames[family] }, syncedAt);
    this.metrics.pending(this.#tracker);
    this.#markSynced();
    await this.#afterSync();
    this.#takeOver.synced();
  }

  #put(proxy: FamilyProxy, key: string): void {
    try {
      proxy.put(key, this.#tracker.service(key), this.#tracker.slicesOf(key));
    } catch (err) {
      // All others would wait for this one.
      this.#log.error(`Cannot plan Service "${key}", its rules stay as they are: ${messageOf(err)}`);
    }
  }

  async #afterSync(): Promise<void> {
    const planners = [...this.#families.values()].map(({ planner }) => planner);
    this.#report.update(planners.flatMap((planner) => planner.warnings));
    // Our own sockets are reserved as others are: ports that we listened on may be somebody's now.
    if (await this.#health.update(planners.map((planner) => planner.healthChecks))) this.#onView('look');
    for (const [family, { planner }] of this.#families) {
      this.metrics.planned(family, planner.plans);
      await this.#cleanUpFlows(family, planner);
    }
  }

  async #cleanUpFlows(family: TableFamily, planner: Planner): Promise<void> {
    const labels = { ip_family: familyNames[family] };
    const begun = this.#clock.monotonic();
    try {
      const deleted = await this.#flowCleanUp.run(family, planner);
      if (deleted === undefined) return;
      this.metrics.deletedFlows.inc(labels, deleted);
      this.metrics.flowsSync.observe(labels, (this.#clock.monotonic() - begun) / 1000);
    } catch (err) {
      this.#log.warn(`Cannot clean up tracked flows: ${messageOf(err)}`);
    }
  }

  async #verify(isWaiting: () => boolean): Promise<boolean> {
    // Sockets come and go without a word.
    this.#viewDue = 'look';
    this.#takeOver.again();
    return await this.#mode.verify(isWaiting);
  }

  /** Whoever asks for metrics gets all others in any case. */
  async #counts(of: 'ports' | 'endpoints'): Promise<ServiceCount[]> {
    try {
      return (await Promise.all([...this.#families.values()].map((family) => family.counts(of)))).flat();
    } catch (err) {
      this.#log.warn(`Cannot read what was counted for Services: ${messageOf(err)}`);
      return [];
    }
  }

  #answerHealth(eligible: boolean): Page {
    const families = [...this.#families.keys()].map((family) => familyNames[family]);
    const answer = this.#liveness.answer(eligible, this.#view.node, families);
    (eligible ? this.metrics.healthz : this.metrics.livez).inc({ code: String(answer.code) });
    return answer;
  }

  get modeName(): string {
    return this.#mode.name;
  }

  /** What is wrong with it, in words; undefined while nothing is. */
  get problem(): string | undefined {
    return this.#liveness.isAlive ? undefined : 'the rules wait for a sync that succeeds';
  }

  /** Stops. The rules stay: traffic goes on while the proxy is replaced. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Stops, but leaves at work what carries connections itself, and gives it: it is the caller's to end. */
  async release(): Promise<Mode | undefined> {
    const isCarrier = this.#mode.retire !== undefined;
    this.#isModeKept ||= isCarrier;
    await this.close();
    return isCarrier ? this.#mode : undefined;
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    this.#watch?.close();
    await this.#loop.stop();
    await this.#takeOver.close();
    await this.#health.close();
    await this.#pages?.close();
    if (!this.#isModeKept) this.#mode.close();
    if (!this.#options.natHold) this.#natHold?.close();
    if (!this.#options.flows) this.#flows.close();
    if (!this.#options.host) this.#host.close();
  }
}

/**
 * Starts the proxy in the network namespace of this process. Resolves when it listens and watches; `synced` tells when the
 * rules are there. Throws PORT_TAKEN, BAD_CONFIG, and KERNEL_FEATURE_MISSING or TOOL_MISSING, which name the modes that would work here.
 */
export async function startProxy(options: ProxyOptions): Promise<ServiceProxy> {
  let proxy: ServiceProxy | undefined;
  try {
    proxy = new ServiceProxy(options, options.rules ?? (await openMode(options)));
    await proxy.start();
    return proxy;
  } catch (err) {
    await proxy?.close();
    throw await explained(err, options.rules?.name ?? options.mode ?? defaultMode);
  }
}
