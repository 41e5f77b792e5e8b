/**
 * Notices what happens to containers: lists everything at the runtime once a second (cheap: two answers from its memory) and wakes the
 * pods that changed. A runtime that tells by itself of exits makes it list right away.
 */
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { type Cri, isUnimplemented } from '../cri/cri.ts';
import { podLabels } from '../pod/labels.ts';

export interface ListedPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
}

export interface RelisterOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (uid: string) => void;
  /** After each listing: the pods that the runtime knows, and the ids of all that is there. */
  readonly onListed: (pods: ReadonlyMap<string, ListedPod>, ids: ReadonlySet<string>) => void;
}

const periodMs = 1000;
/** The runtime tells of an exit before its own lists show it. */
const afterEventMs = [5, 50, 250] as const;
/** As upstream's PLEG: a node whose runtime could not be listed for so long is not ready. */
const unhealthyAfterMs = 180_000;

export class Relister {
  readonly #options: RelisterOptions;
  #prints = new Map<string, string>();
  #listedAt: number;
  #failing = false;
  #running: Promise<void> | undefined;
  #again = false;
  readonly #due = new Set<number>();

  constructor(options: RelisterOptions) {
    this.#options = options;
    this.#listedAt = options.clock.monotonic();
  }

  /** Why the node is not ready, or undefined. */
  get problem(): string | undefined {
    const age = this.#options.clock.monotonic() - this.#listedAt;
    return age > unhealthyAfterMs
      ? `PLEG is not healthy: pleg was last seen active ${Math.round(age / 1000)}s ago; threshold is 3m0s`
      : undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    void this.#listen(signal);
    while (!signal.aborted) {
      await this.relist();
      await this.#options.clock.sleep(periodMs, signal).catch(() => {});
    }
  }

  /** Lists now; a call during a listing makes another one follow. */
  async relist(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#list();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
    if (!this.#again) return;
    this.#again = false;
    await this.relist();
  }

  async #list(): Promise<void> {
    const { cri, clock, log, onChange, onListed } = this.#options;
    try {
      const [sandboxes, containers] = await Promise.all([cri.listPodSandboxes(), cri.listContainers()]);
      const parts = new Map<string, string[]>();
      const found = new Map<string, ListedPod>();
      const ids = new Set<string>();
      for (const item of [...sandboxes, ...containers]) {
        const uid = item.labels[podLabels.podUid];
        if (uid === undefined) continue;
        ids.add(item.id);
        if (!found.has(uid))
          found.set(uid, { uid, name: item.labels[podLabels.podName] ?? '', namespace: item.labels[podLabels.podNamespace] ?? '' });
        const list = parts.get(uid);
        const part = `${item.id}:${item.state}`;
        if (list) list.push(part);
        else parts.set(uid, [part]);
      }
      const prints = new Map([...parts].map(([uid, list]) => [uid, list.sort().join(' ')]));
      const before = this.#prints;
      this.#prints = prints;
      this.#listedAt = clock.monotonic();
      if (this.#failing) log.info('The container runtime answers again');
      this.#failing = false;
      for (const uid of new Set([...before.keys(), ...prints.keys()])) if (before.get(uid) !== prints.get(uid)) onChange(uid);
      onListed(found, ids);
    } catch (err) {
      if (!this.#failing) log.warn(`Cannot list pods at the container runtime: ${messageOf(err)}`);
      this.#failing = true;
    }
  }

  /** A burst of exits is looked at a few times, not a few times each. */
  #soon(): void {
    for (const ms of afterEventMs) {
      if (this.#due.has(ms)) continue;
      this.#due.add(ms);
      this.#options.clock.after(ms, () => {
        this.#due.delete(ms);
        void this.relist();
      });
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { cri, clock } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const _ of cri.changes(signal)) this.#soon();
      } catch (err) {
        if (isUnimplemented(err)) return;
      }
      await clock.sleep(periodMs, signal).catch(() => {});
    }
  }
}
