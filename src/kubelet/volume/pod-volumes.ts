/** The volumes of one pod: set up before its containers start, then kept up to date about twice a minute. */
import type { Pod } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { NodeFacts } from '../pod/downward.ts';
import type { PodEvents } from '../runtime/pod-events.ts';
import type { VolumeManager } from './volume-manager.ts';

const refreshMs = 30_000;

export interface PodVolumesOptions {
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly volumes: VolumeManager;
}

export class PodVolumes {
  readonly #options: PodVolumesOptions;
  #paths: ReadonlyMap<string, string> | undefined;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(options: PodVolumesOptions) {
    this.#options = options;
  }

  /** The next call of setUp() looks at them, however short ago the last one was. */
  expire(): void {
    this.#dueAt = Number.NEGATIVE_INFINITY;
  }

  /** Gives the paths of volumes by name. Throws when they could not be set up even once. */
  async setUp(pod: Pod, facts: NodeFacts): Promise<ReadonlyMap<string, string>> {
    const { clock, events, volumes } = this.#options;
    const now = clock.monotonic();
    if (this.#paths && now < this.#dueAt) return this.#paths;
    this.#dueAt = now + refreshMs;
    try {
      this.#paths = await volumes.setUp(pod, facts);
    } catch (err) {
      events.pod(pod, 'Warning', 'FailedMount', messageOf(err));
      // What is there stays usable: an API server that is away must not keep a container from starting again.
      if (!this.#paths) throw err;
    }
    return this.#paths;
  }
}
