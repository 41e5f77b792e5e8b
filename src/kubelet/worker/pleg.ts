/**
 * The pod lifecycle event generator: lists everything at the runtime once a second (cheap: two answers from its memory) and tells which
 * pods changed. A runtime that tells by itself of exits makes it list right away.
 */
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { type Cri, isUnimplemented } from '../cri/cri.ts';
import type { Container, PodSandbox } from '../cri/messages.ts';
import { podLabels } from '../pod/labels.ts';

export interface ListedPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
}

export interface PlegOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PlegHandlers {
  /** Something began, ended or went away. */
  change(podUid: string): void;
  /** After each listing: the ids of all sandboxes and containers that are there. */
  listed(pods: ReadonlyMap<string, ListedPod>, ids: ReadonlySet<string>): void;
}

const periodMs = 1000;
/** The runtime tells of an exit before its own lists show it. */
const afterEventMs = [5, 50, 250] as const;
/** As upstream's PLEG: a node whose runtime could not be listed for so long is not ready. */
const unhealthyAfterMs = 180_000;

export class Pleg {
  readonly #options: PlegOptions;
  #handlers: PlegHandlers | undefined;
  #pods: ReadonlyMap<string, ListedPod> = new Map();
  /** By pod: what is there, in what state. */
  #prints: ReadonlyMap<string, string> = new Map();
  #listedAt: number;
  #failing = false;
  #running: Promise<void> | undefined;
  #again = false;
  readonly #due = new Set<number>();

  constructor(options: PlegOptions) {
    this.#options = options;
    this.#listedAt = options.clock.monotonic();
  }

  on(handlers: PlegHandlers): void {
    this.#handlers = handlers;
  }

  /** The pods that the runtime knew at the last listing. */
  get pods(): ReadonlyMap<string, ListedPod> {
    return this.#pods;
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
    const { cri, clock, log } = this.#options;
    try {
      const [sandboxes, containers] = await Promise.all([cri.listPodSandboxes(), cri.listContainers()]);
      const items = [...sandboxes, ...containers].filter((item) => item.labels[podLabels.podUid] !== undefined);
      this.#listedAt = clock.monotonic();
      if (this.#failing) log.info('The container runtime answers again');
      this.#failing = false;
      this.#compare(items);
      this.#pods = podsOf(items);
      this.#handlers?.listed(this.#pods, new Set(items.map((item) => item.id)));
    } catch (err) {
      if (!this.#failing) log.warn(`Cannot list pods at the container runtime: ${messageOf(err)}`);
      this.#failing = true;
    }
  }

  #compare(items: readonly Listed[]): void {
    const before = this.#prints;
    const now = printsOf(items);
    this.#prints = now;
    for (const uid of new Set([...before.keys(), ...now.keys()])) if (before.get(uid) !== now.get(uid)) this.#handlers?.change(uid);
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

type Listed = Pick<PodSandbox & Container, 'id' | 'state' | 'labels'>;

function podsOf(items: readonly Listed[]): Map<string, ListedPod> {
  return new Map(
    items.map(({ labels }) => {
      const { [podLabels.podUid]: uid = '', [podLabels.podName]: name = '', [podLabels.podNamespace]: namespace = '' } = labels;
      return [uid, { uid, name, namespace }];
    }),
  );
}

function printsOf(items: readonly Listed[]): Map<string, string> {
  const byPod = Map.groupBy(items, (item) => item.labels[podLabels.podUid] ?? '');
  const print = ({ id, state }: Listed): string => `${id}:${state}`;
  return new Map([...byPod].map(([uid, own]) => [uid, own.map(print).toSorted().join(' ')]));
}
