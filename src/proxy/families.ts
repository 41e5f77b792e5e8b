/**
 * One sync, from what changed to the kernel: every family that the node has learns it, then the kernel is brought in step. What fails of one is
 * nothing to the other.
 */
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { isLack } from '../linux/lack.ts';
import { type TableFamily, tableFamilies } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';
import { FamilyProxy } from './family.ts';
import type { FlowCleanUp } from './flow-clean-up.ts';
import type { Liveness } from './liveness.ts';
import type { ProxyMetrics } from './metrics.ts';
import { familyNames } from './mode/ip-family.ts';
import type { Mode, ServiceCount } from './mode/mode.ts';
import type { NodeView } from './node-view.ts';
import type { NodeContext } from './plan/node-context.ts';
import type { Planner } from './plan/planner.ts';
import type { ChangeTracker } from './track/change-tracker.ts';

interface Surroundings {
  readonly mode: Mode;
  readonly view: NodeView;
  readonly tracker: ChangeTracker;
  readonly flowCleanUp: FlowCleanUp;
  readonly metrics: ProxyMetrics;
  readonly liveness: Liveness;
  readonly clock: Clock;
  readonly log: Log;
}

export class Families {
  readonly #around: Surroundings;
  readonly #families = new Map<TableFamily, FamilyProxy>();
  /** Those whose rules this proxy has put in place. */
  readonly #served = new Set<TableFamily>();
  /** Those whose rules are not in the kernel as they are planned, since it refused. */
  readonly #behind = new Set<TableFamily>();
  /** Those that this machine lacks a part for, and what was said of them. */
  readonly #lacking = new Map<TableFamily, string>();
  /** What the view says may be news; `look`: so may be what the kernel says. */
  #viewDue: 'no' | 'yes' | 'look' = 'look';

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get planners(): Planner[] {
    return [...this.#families.values()].map(({ planner }) => planner);
  }

  get isServing(): boolean {
    return this.#served.size > 0;
  }

  /**
   * Those that do not wait for their first rules; none until one is served. One that the kernel refuses waits for as long as that lasts: what another proxy
   * left may be all that serves it, and /healthz says that it waits. One that this node does without does not: it may never come.
   */
  get settled(): readonly TableFamily[] {
    if (!this.isServing) return [];
    return tableFamilies.filter((family) => !this.#behind.has(family) || this.#served.has(family) || this.#lacking.has(family));
  }

  /** The next sync heeds what the view says; `look`: after another look at the node. */
  viewMayDiffer(due: 'yes' | 'look'): void {
    if (this.#viewDue !== 'look') this.#viewDue = due;
  }

  /** The next sync compares everything with the kernel. */
  distrust(): void {
    this.#around.liveness.queued();
    for (const family of this.#families.values()) family.distrust();
  }

  /** Gives what failed, which the next sync tries again. */
  async sync(): Promise<readonly unknown[]> {
    const { tracker, flowCleanUp, clock } = this.#around;
    const begunAt = clock.now();
    const isLook = this.#viewDue === 'look';
    const failures = this.#viewDue === 'no' ? [] : await this.#followView();
    const changes = tracker.take();
    // Every family first learns what changed: if the kernel then refuses one, nothing is forgotten for the other.
    const planningMs = new Map<TableFamily, number>();
    for (const [family, proxy] of this.#families) {
      const begun = clock.monotonic();
      for (const key of changes.services) this.#put(proxy, key);
      proxy.settle((before, after) => flowCleanUp.changed(family, before, after));
      planningMs.set(family, clock.monotonic() - begun);
    }
    for (const [family, proxy] of this.#families) {
      if (this.#lacking.has(family) && !isLook) continue;
      const change = { begunAt, planningMs: planningMs.get(family) ?? 0, changes };
      failures.push(...(await this.#attempt(family, () => this.#apply(family, proxy, change))));
    }
    return failures;
  }

  /** Brings the kernel in step in one family. */
  async #apply(
    family: TableFamily,
    proxy: FamilyProxy,
    { begunAt, planningMs, changes }: { begunAt: number; planningMs: number; changes: ReturnType<ChangeTracker['take']> },
  ): Promise<void> {
    const { tracker, flowCleanUp, metrics, liveness, clock, log } = this.#around;
    const begun = clock.monotonic();
    const { full, steps } = await proxy.sync();
    const took = (planningMs + clock.monotonic() - begun) / 1000;
    metrics.synced(family, full, took);
    metrics.programmed(family, changes.triggers, clock.now());
    this.#served.add(family);
    metrics.applied(family, liveness.synced(family, begunAt, tracker.pendingServices > 0));
    if (full && steps > 0) flowCleanUp.rulesWereMissing(family);
    if (steps > 0) log.debug('Applied rules', { family, full, steps, services: changes.services.size, seconds: took });
  }

  /** Makes new tables of those families whose node context changed, and tells all what is reserved. Gives what failed. */
  async #followView(): Promise<unknown[]> {
    const { view, liveness } = this.#around;
    const due = this.#viewDue;
    this.#viewDue = 'no';
    const failures: unknown[] = [];
    try {
      if (due === 'look') await view.look();
      if (view.reserve()) for (const planner of this.planners) planner.reserve(view.reserved);
      for (const [family, context] of view.contexts()) failures.push(...(await this.#follow(family, context, due === 'look')));
      liveness.retain(new Set([...this.#families.keys(), ...this.#behind].filter((family) => !this.#lacking.has(family))));
    } catch (err) {
      this.#viewDue = 'look';
      throw err;
    }
    return failures;
  }

  async #follow(family: TableFamily, context: NodeContext, isLook: boolean): Promise<unknown[]> {
    const known = this.#families.get(family);
    if (known && JSON.stringify(known.planner.node) === JSON.stringify(context)) return [];
    if (!known && this.#lacking.has(family) && !isLook) return [];
    known?.reset(context);
    const failures = known ? [] : await this.#attempt(family, () => this.#open(family, context));
    if (this.#families.has(family)) this.#around.tracker.markAll();
    return failures;
  }

  async #open(family: TableFamily, context: NodeContext): Promise<void> {
    const { mode, view, metrics, clock } = this.#around;
    const fresh = await FamilyProxy.open(mode, context);
    fresh.planner.reserve(view.reserved);
    this.#families.set(family, fresh);
    metrics.opened(family, clock.now());
  }

  /** Gives what failed, but for what this machine lacks: that is told once, and looked for whenever the node is looked at. */
  async #attempt(family: TableFamily, work: () => Promise<void>): Promise<unknown[]> {
    const { metrics, liveness, log } = this.#around;
    try {
      await work();
      this.#behind.delete(family);
      this.#lacking.delete(family);
      return [];
    } catch (err) {
      this.#behind.add(family);
      if (isLack(err) && this.#isSpare(family)) {
        const said = `Cannot serve ${familyNames[family]} here, goes on without: ${err.message}`;
        if (this.#lacking.get(family) !== said) log.warn(said, { hint: err.hint });
        this.#lacking.set(family, said);
        return [];
      }
      metrics.failures.inc({ ip_family: familyNames[family] });
      liveness.queued(family);
      const known = this.#families.get(family);
      if (known) known.distrust();
      else this.#viewDue = 'look';
      return [err];
    }
  }

  /** Whether the node has its first address in the other family, and this one was never served: kube-proxy does without it then. */
  #isSpare(family: TableFamily): boolean {
    const { primaryFamily } = this.#around.view;
    return primaryFamily !== undefined && family !== primaryFamily && !this.#served.has(family);
  }

  #put(proxy: FamilyProxy, key: string): void {
    const { tracker, log } = this.#around;
    try {
      proxy.put(key, tracker.service(key), tracker.slicesOf(key));
    } catch (err) {
      // All others would wait for this one.
      log.error(`Cannot plan Service "${key}", its rules stay as they are: ${messageOf(err)}`);
    }
  }

  /** What may wait until the rules are there. */
  async tidy(): Promise<void> {
    const { metrics } = this.#around;
    for (const [family, { planner }] of this.#families) {
      metrics.planned(family, planner.plans);
      if (!this.#behind.has(family)) await this.#cleanUpFlows(family, planner);
    }
  }

  async #cleanUpFlows(family: TableFamily, planner: Planner): Promise<void> {
    const { flowCleanUp, metrics, clock, log } = this.#around;
    const labels = { ip_family: familyNames[family] };
    const begun = clock.monotonic();
    try {
      const deleted = await flowCleanUp.run(family, planner);
      if (deleted === undefined) return;
      metrics.deletedFlows.inc(labels, deleted);
      metrics.flowsSync.observe(labels, (clock.monotonic() - begun) / 1000);
    } catch (err) {
      log.warn(`Cannot clean up tracked flows: ${messageOf(err)}`);
    }
  }

  /** What was counted for Services. Whoever asks for metrics gets all others in any case. */
  async counts(of: 'ports' | 'endpoints'): Promise<ServiceCount[]> {
    const served = [...this.#families].filter(([family]) => !this.#lacking.has(family));
    try {
      return (await Promise.all(served.map(([, proxy]) => proxy.counts(of)))).flat();
    } catch (err) {
      this.#around.log.warn(`Cannot read what was counted for Services: ${messageOf(err)}`);
      return [];
    }
  }
}
