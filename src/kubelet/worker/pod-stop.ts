/** Stops what runs of one pod, within its grace period, which may become shorter meanwhile. */
import type { Pod } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { specOf } from '../pod/spec.ts';
import type { WorkerDeps } from './worker-deps.ts';

export class PodStop {
  readonly #deps: Pick<WorkerDeps, 'killer' | 'events'>;
  /** Seconds that the containers were given; undefined when they are not being stopped. */
  #grace: number | undefined;

  constructor(deps: Pick<WorkerDeps, 'killer' | 'events'>) {
    this.#deps = deps;
  }

  get isUnderWay(): boolean {
    return this.#grace !== undefined;
  }

  /** Gives false when nothing ran. */
  async run(runtime: PodRuntime, pod: Pod): Promise<boolean> {
    const runs = runtime.containers.some((c) => c.state === 'running' || c.state === 'unknown');
    if (!runs && !runtime.sandboxes.some((s) => s.ready)) return false;
    this.#grace = graceSeconds(pod);
    try {
      await this.#deps.killer.killPod(runtime, pod, this.#grace);
      return true;
    } catch (err) {
      this.#deps.events.pod(pod, 'Warning', 'FailedKillPod', `error killing pod: ${messageOf(err)}`);
      throw err;
    } finally {
      this.#grace = undefined;
    }
  }

  /** Whoever deletes the pod again may give it less time. */
  hasten(runtime: PodRuntime, pod: Pod): void {
    const grace = graceSeconds(pod);
    if (this.#grace === undefined || grace >= this.#grace) return;
    this.#grace = grace;
    void this.#deps.killer.hasten(runtime, grace);
  }
}

function graceSeconds(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? specOf(pod).terminationGracePeriodSeconds ?? 30;
}
