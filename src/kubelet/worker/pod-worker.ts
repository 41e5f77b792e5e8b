/**
 * The life of one pod (by uid) on this node: one loop, never two steps at a time. A step reads what the runtime holds, decides
 * (computePodActions) and acts; it runs when something changed, when a back-off ends, and about once a minute to refresh volumes.
 */

import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { computePodActions } from '../pod/actions.ts';
import { isOwnCondition } from '../pod/conditions.ts';
import type { NodeFacts } from '../pod/downward.ts';
import { podResources } from '../pod/resources.ts';
import type { PodRuntime } from '../pod/runtime-state.ts';
import { logDirectory } from '../pod/sandbox-config.ts';
import { isFinal, namespaceOf, specOf, uidOf } from '../pod/spec.ts';
import { podStatus, type WaitReason } from '../pod/status.ts';
import { ResizeState } from './resize-state.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** running: kept going. ending: containers are being stopped. ended: they have stopped, the pod's object is still there. */
export type WorkerPhase = 'running' | 'ending' | 'ended' | 'finished';

const resyncMs = 60_000;
const firstErrorMs = 500;
const maxErrorMs = 10_000;

export class PodWorker {
  readonly uid: string;
  readonly #deps: WorkerDeps;
  #pod: Pod;
  readonly #resize: ResizeState;
  #phase: WorkerPhase = 'running';
  #gone = false;
  #admitted: boolean;
  /** Its end had been reported before this process began. */
  readonly #wasOver: boolean;
  #rejected: WaitReason | undefined;
  #status: PodStatus;
  #waiting: ReadonlyMap<string, WaitReason> = new Map();
  #last: PodRuntime | undefined;
  #stepping = false;
  #again = false;
  #held = true;
  #errorMs = firstErrorMs;
  #timer: { cancel(): void } | undefined;
  #abort = new AbortController();
  #grace = 0;
  /** Containers are being stopped: readiness is still told. */
  #isStopping = false;
  #volumesAt = Number.NEGATIVE_INFINITY;
  /** The pod was changed since its volumes were looked at. */
  #volumesStale = false;
  #volumes: ReadonlyMap<string, string> = new Map();

  constructor(pod: Pod, deps: WorkerDeps) {
    this.#pod = pod;
    this.#resize = new ResizeState(pod);
    this.uid = uidOf(pod);
    this.#deps = deps;
    this.#status = pod.status ?? {};
    // What has begun is not judged again.
    this.#admitted = pod.metadata.deletionTimestamp !== undefined || (pod.status?.phase ?? 'Pending') !== 'Pending';
    this.#wasOver = isFinal(pod.status?.phase);
    if (this.#wasOver) this.#phase = 'ending';
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** With the resources that the node lets it have. */
  get granted(): Pod {
    return this.#resize.granted;
  }

  /** It would take more when another pod ends. */
  get waitsForRoom(): boolean {
    return this.#resize.problem?.reason === 'Deferred';
  }

  get phase(): WorkerPhase {
    return this.#phase;
  }

  /** Its source no longer has it. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** Whether it takes up room on the node. */
  get isAdmitted(): boolean {
    return this.#admitted && this.#phase === 'running';
  }

  /** The status as this node sees it, newer than what the API may hold. */
  get status(): PodStatus {
    return this.#status;
  }

  /** What the runtime held when it was read last. */
  get runtime(): PodRuntime | undefined {
    return this.#last;
  }

  /** Lets the worker begin. */
  release(): void {
    this.#held = false;
    this.wake();
  }

  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    // Conditions of others come with the API's object.
    const own = (this.#status.conditions ?? []).filter((c) => isOwnCondition(c.type));
    const foreign = (pod.status?.conditions ?? []).filter((c) => !isOwnCondition(c.type));
    if (this.#status.conditions) this.#status = { ...this.#status, conditions: [...own, ...foreign] };
    if (pod.metadata.deletionTimestamp) this.#endSoon();
    // Volumes show labels and annotations; and who changes one wants the volumes looked at now, as everywhere in Kubernetes.
    const relabelled =
      !isDeepStrictEqual(before.metadata.annotations, pod.metadata.annotations) ||
      !isDeepStrictEqual(before.metadata.labels, pod.metadata.labels);
    if (relabelled) {
      this.#volumesStale = true;
      this.#deps.forgetConfig();
    }
    const changed =
      relabelled ||
      before.metadata.generation !== pod.metadata.generation ||
      before.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
      before.metadata.deletionGracePeriodSeconds !== pod.metadata.deletionGracePeriodSeconds ||
      pod.metadata.generation === undefined ||
      (specOf(pod).readinessGates?.length ?? 0) > 0 ||
      this.#phase === 'ended';
    if (changed) this.wake();
  }

  /** The pod is no longer in its source. */
  remove(pod?: Pod): void {
    if (pod) this.#pod = pod;
    this.#gone = true;
    this.#endSoon();
    this.wake();
  }

  #endSoon(): void {
    this.#abort.abort(new Error('the pod is to end'));
    const grace = this.#graceSeconds();
    if (this.#phase === 'ending' && grace < this.#grace && this.#last) {
      this.#grace = grace;
      void this.#deps.killer.hasten(this.#last, grace);
    }
  }

  #graceSeconds(): number {
    const { metadata } = this.#pod;
    return metadata.deletionGracePeriodSeconds ?? specOf(this.#pod).terminationGracePeriodSeconds ?? 30;
  }

  wake(): void {
    if (this.#held || this.#phase === 'finished') return;
    if (this.#stepping) {
      this.#again = true;
      // Stopping may take the whole grace period, in which nobody is to be sent to a container that says it is not ready any more.
      if (this.#isStopping && !this.#wasOver && this.#last) this.#report(this.#last, false);
      return;
    }
    void this.#loop();
  }

  async #loop(): Promise<void> {
    this.#stepping = true;
    this.#timer?.cancel();
    let next = resyncMs;
    do {
      this.#again = false;
      try {
        next = await this.#step();
        this.#errorMs = firstErrorMs;
      } catch (err) {
        if (!this.#abort.signal.aborted || this.#phase !== 'running')
          this.#deps.log.warn(`Cannot sync pod "${namespaceOf(this.#pod)}/${this.#pod.metadata.name}": ${messageOf(err)}`);
        next = this.#errorMs;
        this.#errorMs = Math.min(this.#errorMs * 2, maxErrorMs);
      }
      // Whoever woke it last may have done so while it ended: a step now would report the pod anew, and end it once more.
    } while (this.#again && !this.#isFinished());
    this.#stepping = false;
    if (this.#isFinished()) this.#deps.onFinished(this.uid);
    else if (!this.#held)
      this.#timer = this.#deps.clock.after(next === resyncMs ? resyncMs * (0.75 + Math.random() / 2) : next, () => this.wake());
  }

  #isFinished(): boolean {
    return this.#phase === 'finished';
  }

  async #read(): Promise<PodRuntime> {
    const found = await this.#deps.reader.read(this.uid, this.#pod.metadata.name, namespaceOf(this.#pod));
    this.#last = this.#resize.see(this.#pod, found, this.#deps.resizeProblem);
    return this.#last;
  }

  /** Gives the ms until the next step, unless something happens before. */
  async #step(): Promise<number> {
    if (this.#phase === 'ended') return this.#afterEnd();
    const runtime = await this.#read();
    if (this.#phase === 'ending') return this.#end(runtime);
    this.#deps.probes.sync(this.#pod, runtime);
    await this.#admit(runtime);
    const status = this.#rejected ? this.#reject(this.#rejected) : this.#report(runtime, false);
    const final = isFinal(status.phase);
    if (this.#gone || this.#pod.metadata.deletionTimestamp || final) return this.#end(runtime);
    return this.#keepGoing(runtime);
  }

  async #admit(runtime: PodRuntime): Promise<void> {
    if (this.#admitted) return;
    this.#rejected = runtime.containers.length > 0 ? undefined : await this.#deps.admit(this.#pod);
    this.#admitted = true;
    if (this.#rejected) this.#deps.events.pod(this.#pod, 'Warning', this.#rejected.reason, this.#rejected.message);
  }

  async #keepGoing(runtime: PodRuntime): Promise<number> {
    const { events, probes, runtime: manager, networkProblem } = this.#deps;
    const pod = this.granted;
    const deadline = this.#deadlineMs();
    if (deadline <= 0) {
      this.#rejected = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' };
      events.pod(pod, 'Normal', 'DeadlineExceeded', this.#rejected.message);
      return 0;
    }
    const actions = computePodActions(pod, runtime, probes);
    const problem = specOf(pod).hostNetwork ? undefined : networkProblem();
    if (actions.createSandbox !== undefined && problem !== undefined) {
      events.pod(pod, 'Warning', 'NetworkNotReady', `network is not ready: ${problem}`);
      return Math.min(2000, deadline);
    }
    const facts = this.#facts(runtime);
    await this.#setUpVolumes(facts);
    const onStarted = async (): Promise<void> => void (await this.#refresh());
    const outcome = await manager.apply(pod, runtime, actions, this.#volumes, facts, onStarted, this.#abort.signal);
    // Why a container waits stays true until it is tried again.
    const waiting = new Map([...this.#waiting].filter(([name]) => !actions.start.some((c) => c.name === name)));
    for (const [name, reason] of outcome.waiting) waiting.set(name, reason);
    this.#waiting = waiting;
    const resizes = this.#resize.note(outcome.resized, outcome.resizeProblem);
    const acted = actions.killPod || actions.kill.length > 0 || actions.createSandbox !== undefined || outcome.waiting.size > 0 || resizes;
    const after = acted || outcome.started.length > 0 ? await this.#refresh() : runtime;
    await manager.collect(after, false);
    if (outcome.error !== undefined) throw new Error(outcome.error);
    // What was started may be followed by more (the next init container): look right away.
    if (outcome.started.length > 0 || outcome.retryMs === 0) this.#again = outcome.waiting.size === 0;
    return Math.min(outcome.retryMs ?? resyncMs, deadline, resyncMs);
  }

  /** ms that activeDeadlineSeconds leaves. */
  #deadlineMs(): number {
    const seconds = specOf(this.#pod).activeDeadlineSeconds;
    const start = this.#status.startTime;
    if (seconds === undefined || start === undefined) return Number.POSITIVE_INFINITY;
    return Date.parse(start) + seconds * 1000 - this.#deps.clock.now();
  }

  async #setUpVolumes(facts: NodeFacts): Promise<void> {
    const { clock, events, volumes } = this.#deps;
    const now = clock.monotonic();
    if (!this.#volumesStale && now - this.#volumesAt < resyncMs / 2) return;
    this.#volumesStale = false;
    try {
      this.#volumes = await volumes.setUp(this.#pod, facts);
    } catch (err) {
      events.pod(this.#pod, 'Warning', 'FailedMount', messageOf(err));
      // What is there stays usable: an API server that is away must not keep a container from starting again.
      if (this.#volumesAt === Number.NEGATIVE_INFINITY) throw err;
    }
    this.#volumesAt = now;
  }

  #facts(runtime: PodRuntime): NodeFacts {
    const facts = this.#deps.facts();
    const sandbox = runtime.sandboxes[0];
    return { ...facts, podIps: specOf(this.#pod).hostNetwork ? facts.hostIps : (sandbox?.ips ?? []) };
  }

  async #refresh(): Promise<PodRuntime> {
    const runtime = await this.#read();
    this.#deps.probes.sync(this.#pod, runtime);
    this.#report(runtime, false);
    return runtime;
  }

  #report(runtime: PodRuntime, terminal: boolean): PodStatus {
    const { clock, probes, facts, runtimeName } = this.#deps;
    const status = podStatus({
      pod: this.granted,
      runtime,
      previous: this.#status,
      waitReason: (name) => this.#waiting.get(name),
      isReady: (id) => probes.isReady(id),
      isStarted: (id) => probes.isStarted(id),
      terminal,
      hostIps: facts().hostIps,
      runtimeName,
      now: clock.now(),
      resize: this.#resize.problem,
    });
    return this.#write(status);
  }

  #reject({ reason, message }: WaitReason): PodStatus {
    return this.#write({ ...this.#status, phase: 'Failed', reason, message });
  }

  #write(status: PodStatus): PodStatus {
    this.#status = status;
    const api = this.#deps.target(this.#pod);
    if (api) this.#deps.statuses.set(this.uid, api.target, api.status, status);
    return status;
  }

  /** The mirror of a static pod has been made (anew): it needs the status. */
  rewrite(): void {
    if (this.#status.phase !== undefined) this.#write(this.#status);
  }

  async #end(found: PodRuntime): Promise<number> {
    const { killer, probes, statuses, volumes, cgroups, events } = this.#deps;
    this.#phase = 'ending';
    this.#abort.abort(new Error('the pod is to end'));
    let runtime = found;
    const isAlive = (r: PodRuntime): boolean =>
      r.containers.some((c) => c.state === 'running' || c.state === 'unknown') || r.sandboxes.some((s) => s.ready);
    if (isAlive(runtime)) {
      this.#grace = this.#graceSeconds();
      this.#isStopping = true;
      try {
        await killer.killPod(runtime, this.#pod, this.#grace);
      } catch (err) {
        events.pod(this.#pod, 'Warning', 'FailedKillPod', `error killing pod: ${messageOf(err)}`);
        throw err;
      } finally {
        this.#isStopping = false;
      }
      runtime = await this.#read();
    }
    probes.forget(this.uid);
    // Nothing of what an earlier process reported as final is to be overwritten.
    if (!this.#wasOver) this.#report(runtime, true);
    await statuses.flush(this.uid);
    this.#phase = 'ended';
    if (!this.#gone && this.#pod.metadata.deletionTimestamp) return this.#afterEnd();
    await volumes.tearDown(this.uid);
    await cgroups.removePod(podResources(this.#pod).cgroup);
    return this.#afterEnd();
  }

  /** The containers of a pod that has run to its end stay for their logs until its object goes. */
  async #afterEnd(): Promise<number> {
    if (!this.#gone && !this.#pod.metadata.deletionTimestamp) return resyncMs;
    const { statuses, target } = this.#deps;
    const api = target(this.#pod);
    if (!this.#gone && api) await statuses.remove(api.target);
    await this.#cleanUp();
    this.#phase = 'finished';
    return 0;
  }

  async #cleanUp(): Promise<void> {
    const { volumes, cgroups, runtime: manager, statuses, starter, tokens, logsRoot, probes } = this.#deps;
    await manager.collect(await this.#read(), true);
    await volumes.tearDown(this.uid);
    await cgroups.removePod(podResources(this.#pod).cgroup);
    await rm(logDirectory(this.#pod, logsRoot), { recursive: true, force: true });
    probes.forget(this.uid);
    statuses.forget(this.uid);
    starter.forget(this.uid);
    tokens.forget(this.uid);
  }

  /** Stops looking; what runs goes on running. */
  close(): void {
    this.#held = true;
    this.#abort.abort(new Error('the kubelet ends'));
    this.#timer?.cancel();
  }
}
