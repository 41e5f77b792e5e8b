/**
 * The service proxy at work: starts and ends what it is made of, and wakes the sync loop. What a sync does is in `families.ts`, what it reads of
 * the cluster in `cluster-sources.ts`, what it answers in `proxy-pages.ts` and `liveness.ts`.
 */
import { EventRecorder } from '../client/event-recorder.ts';
import { registerWatchAge } from '../client/watch-age.ts';
import { onAbort } from '../clock/aborted.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { KernelNatHold, type NatHold } from '../linux/nftables/nat-hold.ts';
import { tableFamilies } from '../linux/nftables/table.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { Answers } from './answers.ts';
import { ClusterSources } from './cluster-sources.ts';
import { Families } from './families.ts';
import { FlowCleanUp, type Flows, KernelFlows } from './flow-clean-up.ts';
import type { Liveness } from './liveness.ts';
import { ProxyMetrics } from './metrics.ts';
import type { Mode } from './mode/mode.ts';
import { defaultMode } from './mode/modes.ts';
import { KernelNodeHost, type NodeHost } from './node-host.ts';
import { isNodeNews, NodeView } from './node-view.ts';
import { openMode } from './open-mode.ts';
import type { ProxyOptions } from './options.ts';
import { cleanOtherModes } from './other-modes.ts';
import { refusalOf } from './plan/algorithm.ts';
import { ownServices } from './plan/reserved.ts';
import { ServiceReport } from './service-report.ts';
import { SyncLoop } from './sync-loop.ts';
import { TakeOver } from './take-over.ts';
import { ChangeTracker } from './track/change-tracker.ts';
import { explained } from './usable-modes.ts';

const defaultSyncPeriodMs = 30_000;
const defaultMinSyncPeriodMs = 20;

export class ServiceProxy {
  /** Resolves when the rules of a family were applied for the first time. */
  readonly synced: Promise<void>;
  /** Resolves when no family waits for its first rules any more: what served before is not needed then. */
  readonly settled: Promise<void>;
  readonly metrics: ProxyMetrics;
  readonly #options: ProxyOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #mode: Mode;
  readonly #natHold: NatHold | undefined;
  readonly #flows: Flows;
  readonly #host: NodeHost;
  readonly #cluster: ClusterSources;
  readonly #tracker: ChangeTracker;
  readonly #view: NodeView;
  readonly #families: Families;
  readonly #loop: SyncLoop;
  readonly #stop = new AbortController();
  readonly #markSynced: () => void;
  readonly #markSettled: () => void;
  readonly #liveness: Liveness;
  readonly #answers: Answers;
  readonly #recorder: EventRecorder;
  readonly #report: ServiceReport;
  readonly #takeOver: TakeOver;
  #started = false;
  #watch: { close(): void } | undefined;
  #closing: Promise<void> | undefined;
  /** Whether somebody else closes the mode. */
  #isModeKept: boolean;

  constructor(options: ProxyOptions, mode: Mode) {
    const { clock = systemClock, log = silentLog, syncPeriodMs = defaultSyncPeriodMs, rules, client, nodeName } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#mode = mode;
    this.#isModeKept = rules !== undefined;
    ({ promise: this.synced, resolve: this.#markSynced } = Promise.withResolvers<void>());
    ({ promise: this.settled, resolve: this.#markSettled } = Promise.withResolvers<void>());
    this.metrics = new ProxyMetrics(mode.failuresMetric, mode.figures, clock);
    this.#natHold = options.natHold ?? (rules ? undefined : new KernelNatHold());
    this.#flows = options.flows ?? new KernelFlows();
    this.#host = options.host ?? new KernelNodeHost();
    const cluster = new ClusterSources(options, clock, log);
    this.#cluster = cluster;
    this.#tracker = new ChangeTracker(cluster, { changed: (what, keys) => this.#onChange(what, keys) }, this.#stop.signal);
    this.metrics.follow(this.#tracker);
    this.#view = new NodeView({
      proxy: options,
      nodes: cluster.nodes,
      serviceCidrs: cluster.serviceCidrs,
      host: this.#host,
      log,
      slicesOf: (key) => this.#tracker.slicesOf(key),
      ownListeners: () => [...(mode.listeners?.() ?? []), ...(options.otherListeners?.() ?? [])],
    });
    const flowCleanUp = new FlowCleanUp(this.#flows);
    this.#answers = options.answers ?? new Answers(clock, log);
    const [metrics, { liveness }] = [this.metrics, this.#answers];
    liveness.syncPeriodMs = syncPeriodMs;
    this.#families = new Families({ mode, view: this.#view, tracker: this.#tracker, flowCleanUp, metrics, liveness, clock, log });
    this.#liveness = liveness;
    this.#followCluster();
    this.#recorder = new EventRecorder({ client, component: 'kube-proxy', host: nodeName, clock, log });
    this.#report = new ServiceReport({
      log,
      service: (key) => this.#tracker.service(key),
      event: (about, reason, message) => this.#recorder.event(about, 'Warning', reason, message),
    });
    const { cleanOthers = rules ? async () => true : cleanOtherModes } = options;
    this.#takeOver = new TakeOver(async (families) => {
      await mode.cleanUpElsewhere?.(families);
      return await cleanOthers(mode.name, log, options.modeOptions, families);
    }, log);
    this.#loop = this.#newLoop(syncPeriodMs);
  }

  #newLoop(syncPeriodMs: number): SyncLoop {
    return new SyncLoop({
      sync: () => this.#sync(),
      verify: (isWaiting) => this.#verify(isWaiting),
      minSyncPeriodMs: this.#options.minSyncPeriodMs ?? defaultMinSyncPeriodMs,
      syncPeriodMs,
      clock: this.#clock,
      log: this.#log,
      onFailure: (err) => this.#onFailure(err),
    });
  }

  /** Begins; listens on the health addresses first, so that a taken port is told at once. */
  async start(): Promise<void> {
    const { signal, algorithm } = this.#options;
    await this.#natHold?.hold();
    // A kernel that cannot is told at once, and not with every attempt.
    await this.#mode.probe();
    const refusal = refusalOf(algorithm, this.#mode.name, this.#mode.algorithms);
    if (refusal !== undefined) this.#log.warn(refusal, { hint: 'Choose another scheduler, or another proxy mode' });
    await this.#answers.pages.serve(this.#options, {
      mode: this.#mode.name,
      metrics: this.metrics,
      counts: (of) => this.#families.counts(of),
      health: (eligible) => this.#liveness.answer(eligible, this.#view.node),
    });
    registerWatchAge(this.metrics.registry, () => this.#cluster.agesMs);
    if (signal) onAbort(signal, () => void this.close());
    void Promise.all([this.#cluster.start(this.#stop.signal), this.#tracker.synced]).then(() => this.#begin());
  }

  #begin(): void {
    if (this.#stop.signal.aborted) return;
    this.#started = true;
    this.#request();
    this.#loop.watch();
    this.#host.watch(() => this.#onView('look'));
  }

  /**
   * Once the first rules are there: the kernel makes a notice of each element for whoever listens, which may take it longer than the elements themselves. Whether
   * somebody else did something until then the mode finds out as it begins to listen, or as the rules are verified every period.
   */
  #watchRules(): void {
    if (!this.#stop.signal.aborted) this.#watch ??= this.#mode.watch(() => this.#loop.suspect());
  }

  /** A look at the node is due for other reasons than the node's own. */
  #followCluster(): void {
    const changed = (): void => this.#onView('yes');
    const { signal } = this.#stop;
    const { serviceCidrs, nodes } = this.#cluster;
    serviceCidrs.on({ add: changed, update: changed, delete: changed }, signal);
    nodes.on({ add: changed, update: (now, before) => (isNodeNews(now, before) ? changed() : undefined), delete: changed }, signal);
  }

  #onView(due: 'yes' | 'look'): void {
    this.#families.viewMayDiffer(due);
    this.#request();
  }

  #onChange(what: 'service' | 'slice', keys: readonly string[]): void {
    this.metrics.changed(what);
    if (keys.some((key) => ownServices.has(key))) this.#onView('yes');
    else this.#request();
  }

  #request(): void {
    if (!this.#started) return;
    this.#liveness.queued();
    this.metrics.queued(this.#clock.now());
    this.#loop.request();
  }

  async #sync(): Promise<void> {
    const failures = await this.#families.sync();
    if (this.#families.isServing) {
      this.#watchRules();
      this.#markSynced();
      await this.#afterSync();
    }
    const settled = this.#families.settled;
    this.#takeOver.synced(settled);
    if (settled.length === tableFamilies.length) this.#markSettled();
    if (failures.length > 0) throw failures[0];
  }

  async #afterSync(): Promise<void> {
    const { planners } = this.#families;
    // Each is asked, so that none has old news the next time.
    const news = new Set(planners.flatMap((planner) => [...planner.takeWarningNews()]));
    for (const key of news)
      this.#report.update(
        key,
        planners.flatMap((planner) => planner.warningsOf(key)),
      );
    // Our own sockets are reserved as others are: ports that we listened on may be somebody's now.
    const hosts = (): readonly string[] => this.#view.healthCheckHosts(planners.map(({ node }) => node.family));
    if (await this.#answers.health.update(planners, hosts, (key, message) => this.#onHealthFailure(key, message))) this.#onView('look');
    await this.#families.tidy();
  }

  async #verify(isWaiting: () => boolean): Promise<boolean> {
    // Sockets come and go without a word.
    this.#families.viewMayDiffer('look');
    this.#takeOver.again();
    try {
      return await this.#mode.verify(isWaiting);
    } catch (err) {
      this.#families.distrust();
      throw err;
    }
  }

  #onHealthFailure(key: string, message: string): void {
    const service = this.#tracker.service(key);
    if (service) this.#recorder.event(service, 'Warning', 'FailedToStartServiceHealthcheck', message);
  }

  #onFailure(err: unknown): void {
    if (this.#view.node) this.#recorder.event(this.#view.node, 'Warning', 'ProxySyncFailed', messageOf(err));
  }

  get modeName(): string {
    return this.#mode.name;
  }

  /** Where /healthz is served, once `startProxy` has resolved. */
  get healthzAddress(): string | undefined {
    return this.#answers.pages.bound(this.#options.healthzAddress);
  }

  get metricsAddress(): string | undefined {
    return this.#answers.pages.bound(this.#options.metricsAddress);
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
    if (!this.#options.answers) await this.#answers.close();
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
