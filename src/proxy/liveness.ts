/** Whether syncs keep up with what is asked for, and what /healthz and /livez say of that. */
import type { Node } from '../api/schema/types.ts';
import type { Clock } from '../clock/clock.ts';
import type { Page } from '../observability/health-pages.ts';

const deletedByAutoscaler = 'ToBeDeletedByClusterAutoscaler';

export class Liveness {
  readonly #clock: Clock;
  readonly #syncPeriodMs: number;
  #queuedAt: number | undefined;
  #lastSync = 0;

  constructor(clock: Clock, syncPeriodMs: number) {
    this.#clock = clock;
    this.#syncPeriodMs = syncPeriodMs;
  }

  /** A sync is due. */
  queued(): void {
    this.#queuedAt ??= this.#clock.now();
  }

  /** A sync that began at `begunAt` is done. Gives the time of its end. */
  synced(begunAt: number, isMorePending: boolean): number {
    this.#lastSync = this.#clock.now();
    if (this.#queuedAt !== undefined && this.#queuedAt <= begunAt) this.#queuedAt = isMorePending ? begunAt : undefined;
    return this.#lastSync;
  }

  /** No sync waits for longer than two periods. */
  get isAlive(): boolean {
    return this.#lastSync > 0 && (this.#queuedAt === undefined || this.#clock.now() - this.#queuedAt < 2 * this.#syncPeriodMs);
  }

  /** `eligible`: whether traffic should come to this node counts too. */
  answer(eligible: boolean, node: Node | undefined, families: readonly string[]): Page {
    const leaving =
      node !== undefined &&
      (node.metadata.deletionTimestamp !== undefined || (node.spec?.taints ?? []).some((taint) => taint.key === deletedByAutoscaler));
    const healthy = this.isAlive;
    const body = {
      lastUpdated: new Date(this.#lastSync).toISOString(),
      currentTime: new Date(this.#clock.now()).toISOString(),
      ...(eligible ? { nodeEligible: !leaving } : {}),
      status: Object.fromEntries(families.map((family) => [family, { healthy }])),
    };
    return { code: healthy && !(eligible && leaving) ? 200 : 503, type: 'application/json', body: `${JSON.stringify(body)}\n` };
  }
}
