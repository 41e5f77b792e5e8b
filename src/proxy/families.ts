/** One sync, from what changed to the kernel: every family that the node has learns it, then the kernel is brought in step. */
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';
import { FamilyProxy } from './family.ts';
import type { FlowCleanUp } from './flow-clean-up.ts';
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
  readonly clock: Clock;
  readonly log: Log;
}

export class Families {
  readonly #around: Surroundings;
  readonly #families = new Map<TableFamily, FamilyProxy>();
  /** What the view says may be news; `look`: so may be what the kernel says. */
  #viewDue: 'no' | 'yes' | 'look' = 'look';

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get names(): string[] {
    return [...this.#families.keys()].map((family) => familyNames[family]);
  }

  get planners(): Planner[] {
    return [...this.#families.values()].map(({ planner }) => planner);
  }

  /** The next sync heeds what the view says; `look`: after another look at the node. */
  viewMayDiffer(due: 'yes' | 'look'): void {
    if (this.#viewDue !== 'look') this.#viewDue = due;
  }

  /** The next sync compares everything with the kernel. */
  distrust(): void {
    for (const family of this.#families.values()) family.distrust();
  }

  async sync(): Promise<void> {
    const { tracker, flowCleanUp, metrics, clock, log } = this.#around;
    if (this.#viewDue !== 'no') await this.#followView();
    const { services: changed, triggers } = tracker.take();
    // Every family first learns what changed: if the kernel then refuses one, nothing is forgotten for the other.
    const planningMs = new Map<TableFamily, number>();
    for (const [family, proxy] of this.#families) {
      const begun = clock.monotonic();
      for (const key of changed) this.#put(proxy, key);
      proxy.settle((before, after) => flowCleanUp.changed(family, before, after));
      planningMs.set(family, clock.monotonic() - begun);
    }
    for (const [family, proxy] of this.#families) {
      const begun = clock.monotonic();
      const { full, steps } = await this.#refusable(family, () => proxy.sync());
      const took = ((planningMs.get(family) ?? 0) + clock.monotonic() - begun) / 1000;
      metrics.synced(family, full, took);
      metrics.programmed(family, triggers, clock.now());
      if (full && steps > 0) flowCleanUp.rulesWereMissing(family);
      if (steps > 0) log.debug('Applied rules', { family, full, steps, services: changed.size, seconds: took });
    }
  }

  /** Makes new tables of those families whose node context changed, and tells all what is reserved. */
  async #followView(): Promise<void> {
    const { view, tracker } = this.#around;
    const due = this.#viewDue;
    this.#viewDue = 'no';
    try {
      if (due === 'look') await view.look();
      if (view.reserve()) for (const planner of this.planners) planner.reserve(view.reserved);
      for (const [family, context] of view.contexts()) {
        const known = this.#families.get(family);
        if (known && JSON.stringify(known.planner.node) === JSON.stringify(context)) continue;
        if (known) known.reset(context);
        else await this.#open(family, context);
        tracker.markAll();
      }
    } catch (err) {
      this.#viewDue = 'look';
      throw err;
    }
  }

  async #open(family: TableFamily, context: NodeContext): Promise<void> {
    const { mode, view, metrics, clock } = this.#around;
    metrics.opened(family, clock.now());
    const fresh = await this.#refusable(family, () => FamilyProxy.open(mode, context));
    fresh.planner.reserve(view.reserved);
    this.#families.set(family, fresh);
  }

  async #refusable<T>(family: TableFamily, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      this.#around.metrics.failures.inc({ ip_family: familyNames[family] });
      throw err;
    }
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
      await this.#cleanUpFlows(family, planner);
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
    try {
      return (await Promise.all([...this.#families.values()].map((family) => family.counts(of)))).flat();
    } catch (err) {
      this.#around.log.warn(`Cannot read what was counted for Services: ${messageOf(err)}`);
      return [];
    }
  }
}
