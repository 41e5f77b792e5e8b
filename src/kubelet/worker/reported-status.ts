/** The status of one pod as this node sees it, and why its containers wait; what is new goes to the status manager. */
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { isOwnCondition } from '../pod/conditions.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { uidOf } from '../pod/spec.ts';
import { podStatus, type WaitReason } from '../pod/status.ts';
import type { Allocation } from './allocation.ts';
import type { WorkerDeps } from './worker-deps.ts';

export class ReportedStatus {
  readonly #deps: Pick<WorkerDeps, 'clock' | 'facts' | 'probes' | 'statuses' | 'target'>;
  #current: PodStatus;
  #waiting: ReadonlyMap<string, WaitReason> = new Map();

  constructor(pod: Pod, deps: WorkerDeps) {
    this.#deps = deps;
    this.#current = pod.status ?? {};
  }

  get current(): PodStatus {
    return this.#current;
  }

  /** Conditions of others come with the API's object. */
  takeOver(pod: Pod): void {
    if (!this.#current.conditions) return;
    const own = this.#current.conditions.filter((c) => isOwnCondition(c.type));
    const foreign = (pod.status?.conditions ?? []).filter((c) => !isOwnCondition(c.type));
    this.#current = { ...this.#current, conditions: [...own, ...foreign] };
  }

  /** Why a container waits stays true until it is tried again. */
  tried(containers: readonly { readonly name: string }[], waiting: ReadonlyMap<string, WaitReason>): void {
    const untried = [...this.#waiting].filter(([name]) => !containers.some((c) => c.name === name));
    this.#waiting = new Map([...untried, ...waiting]);
  }

  report(pod: Pod, { allocated, problem }: Allocation, runtime: PodRuntime, terminal: boolean): PodStatus {
    const { clock, probes, facts } = this.#deps;
    const status = podStatus({
      pod: allocated,
      runtime,
      previous: this.#current,
      waitReason: (name) => this.#waiting.get(name),
      isReady: (id) => probes.isReady(id),
      isStarted: (id) => probes.isStarted(id),
      terminal,
      hostIps: facts.hostIps,
      now: clock.now(),
      resize: problem,
    });
    return this.#write(pod, status);
  }

  reject(pod: Pod, { reason, message }: WaitReason): PodStatus {
    return this.#write(pod, { ...this.#current, phase: 'Failed', reason, message });
  }

  /** To a mirror that has been made (anew). */
  rewrite(pod: Pod): void {
    if (this.#current.phase !== undefined) this.#write(pod, this.#current);
  }

  #write(pod: Pod, status: PodStatus): PodStatus {
    this.#current = status;
    const api = this.#deps.target(pod);
    if (api) this.#deps.statuses.set(uidOf(pod), api.target, api.status, status);
    return status;
  }
}
