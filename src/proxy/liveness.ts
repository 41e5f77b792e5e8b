/** Whether syncs keep up with what is asked for, and what /healthz and /livez say of that. */
import type { Node } from '../api/schema/types.ts';
import type { Clock } from '../clock/clock.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { Page } from '../observability/health-pages.ts';
import { familyNames } from './mode/ip-family.ts';

const deletedByAutoscaler = 'ToBeDeletedByClusterAutoscaler';

/** Of one family. */
interface Progress {
  queuedAt: number | undefined;
  readonly lastSync: number;
}

export class Liveness {
  readonly #clock: Clock;
  syncPeriodMs: number;
  readonly #families = new Map<TableFamily, Progress>();

  constructor(clock: Clock, syncPeriodMs = 30_000) {
    this.#clock = clock;
    this.syncPeriodMs = syncPeriodMs;
  }

  /** A sync is due: of one family, which is looked after from now on, or of all that are. */
  queued(family?: TableFamily): void {
    if (family && !this.#families.has(family)) this.#families.set(family, { queuedAt: undefined, lastSync: 0 });
    for (const [name, progress] of this.#families) if (name === (family ?? name)) progress.queuedAt ??= this.#clock.now();
  }

  /** A sync of a family that began at `begunAt` is done. Gives the time of its end. */
  synced(family: TableFamily, begunAt: number, isMorePending: boolean): number {
    const { queuedAt = begunAt } = this.#families.get(family) ?? {};
    const lastSync = this.#clock.now();
    const isOver = queuedAt <= begunAt;
    this.#families.set(family, { lastSync, queuedAt: isOver ? (isMorePending ? begunAt : undefined) : queuedAt });
    return lastSync;
  }

  /** Forgets every other family: it is not served here. */
  retain(families: ReadonlySet<TableFamily>): void {
    for (const family of this.#families.keys()) if (!families.has(family)) this.#families.delete(family);
  }

  /** Whether its sync waits for longer than two periods. */
  #isLate(family: TableFamily): boolean {
    const { queuedAt } = this.#families.get(family) ?? {};
    return queuedAt !== undefined && this.#clock.now() - queuedAt >= 2 * this.syncPeriodMs;
  }

  #isAlive(family: TableFamily, { lastSync }: Progress): boolean {
    return lastSync > 0 && !this.#isLate(family);
  }

  /** No family waits for a sync for longer than two periods. */
  get isAlive(): boolean {
    return this.#families.size > 0 && [...this.#families].every(([family, one]) => this.#isAlive(family, one));
  }

  /** kube-proxy's words. `eligible`: whether traffic should come to this node counts too. Source: pkg/proxy/healthcheck/proxy_health.go */
  answer(eligible: boolean, node: Node | undefined): Page {
    const now = this.#clock.now();
    const healthy = this.isAlive;
    const nodeEligible = isEligible(node);
    const isWell = healthy && (nodeEligible || !eligible);
    const families = [...this.#families];
    const status = families.map(([family, one]) => {
      return [familyNames[family], { lastUpdated: timeOf(one.lastSync), healthy: this.#isAlive(family, one) }] as const;
    });
    const body = {
      // Of one that is well it is never long ago: probes of old look at its age, and a quiet cluster has no syncs.
      lastUpdated: timeOf(isWell ? now : Math.max(0, ...families.map(([, { lastSync }]) => lastSync))),
      currentTime: timeOf(now),
      ...(eligible ? { nodeEligible } : {}),
      healthy,
      status: Object.fromEntries(status),
    };
    return { code: isWell ? 200 : 503, type: 'application/json', body: JSON.stringify(body) };
  }
}

function isEligible(node: Node | undefined): boolean {
  if (!node || node.metadata.deletionTimestamp !== undefined) return false;
  return !(node.spec?.taints ?? []).some(({ key }) => key === deletedByAutoscaler);
}

/** Go's zero time for what never was. */
function timeOf(ms: number): string {
  return ms === 0 ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString();
}
