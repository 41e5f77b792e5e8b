/**
 * One pod (by uid) on this node, from its admission to its end. A sync reads what the runtime holds, decides (computePodActions) and acts;
 * it runs when something changed, when a back-off ends, and about once a minute to refresh volumes. The states are upstream's: syncPod
 * keeps the pod going, syncTerminatingPod stops its containers, syncTerminatedPod cleans up after it.
 */
import { rm } from 'node:fs/promises';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { computePodActions, type PodActions } from '../pod/actions.ts';
import type { NodeFacts } from '../pod/downward.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { podResources } from '../pod/resources.ts';
import { logDirectory } from '../pod/sandbox-config.ts';
import { isFinal, namespaceOf, specOf, uidOf } from '../pod/spec.ts';
import type { WaitReason } from '../pod/status.ts';
import { PodVolumes } from '../volume/pod-volumes.ts';
import { Allocation } from './allocation.ts';
import { isRelabelled, needsSync } from './pod-change.ts';
import { PodStop } from './pod-stop.ts';
import { PodWorkerLoop, resyncMs } from './pod-worker-loop.ts';
import { ReportedStatus } from './reported-status.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** terminated: its containers have stopped, its object is still there. */
export type PodWorkerState = 'syncing' | 'terminating' | 'terminated' | 'finished';

export class PodWorker {
  readonly uid: string;
  readonly #deps: WorkerDeps;
  readonly #loop: PodWorkerLoop;
  readonly #allocation: Allocation;
  readonly #volumes: PodVolumes;
  readonly #status: ReportedStatus;
  readonly #stop: PodStop;
  #pod: Pod;
  #state: PodWorkerState = 'syncing';
  #gone = false;
  #admitted: boolean;
  /** Its end had been reported before this process began. */
  readonly #wasOver: boolean;
  #rejected: WaitReason | undefined;
  #last: PodRuntime | undefined;
  readonly #abort = new AbortController();

  constructor(pod: Pod, deps: WorkerDeps) {
    this.#pod = pod;
    this.#allocation = new Allocation(pod);
    this.#volumes = new PodVolumes(deps);
    this.#status = new ReportedStatus(pod, deps);
    this.#stop = new PodStop(deps);
    this.uid = uidOf(pod);
    this.#deps = deps;
    // What has begun is not judged again.
    this.#admitted = pod.metadata.deletionTimestamp !== undefined || (pod.status?.phase ?? 'Pending') !== 'Pending';
    this.#wasOver = isFinal(pod.status?.phase);
    if (this.#wasOver) this.#state = 'terminating';
    this.#loop = new PodWorkerLoop({
      clock: deps.clock,
      sync: () => this.#sync(),
      onError: (err) => this.#failed(err),
      onFinished: () => deps.onFinished(this.uid),
    });
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** With the resources that the node lets it have. */
  get allocated(): Pod {
    return this.#allocation.allocated;
  }

  /** It would take more when another pod ends. */
  get waitsForRoom(): boolean {
    return this.#allocation.problem?.reason === 'Deferred';
  }

  get state(): PodWorkerState {
    return this.#state;
  }

  /** Its source no longer has it. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** Whether it takes up room on the node. */
  get isAdmitted(): boolean {
    return this.#admitted && this.#state === 'syncing';
  }

  /** The status as this node sees it, newer than what the API may hold. */
  get status(): PodStatus {
    return this.#status.current;
  }

  /** What the runtime held when it was read last. */
  get runtime(): PodRuntime | undefined {
    return this.#last;
  }

  /** Lets the worker begin. */
  release(): void {
    this.#loop.release();
  }

  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    this.#status.takeOver(pod);
    if (pod.metadata.deletionTimestamp) this.#terminateSoon();
    // Who changes a label or an annotation wants the volumes looked at now, as everywhere in Kubernetes.
    const relabelled = isRelabelled(before, pod);
    if (relabelled) {
      this.#volumes.expire();
      this.#deps.forgetConfig();
    }
    if (relabelled || needsSync(before, pod) || this.#state === 'terminated') this.requeue();
  }

  /** The pod is no longer in its source. */
  remove(pod: Pod): void {
    this.#pod = pod;
    this.#gone = true;
    this.#terminateSoon();
    this.requeue();
  }

  #terminateSoon(): void {
    this.#abort.abort(new Error('the pod is to end'));
    if (this.#last) this.#stop.hasten(this.#last, this.#pod);
  }

  /** Something happened that the pod must be looked at for. */
  requeue(): void {
    // Stopping may take the whole grace period, in which nobody is to be sent to a container that says it is not ready any more.
    if (this.#stop.isUnderWay && !this.#wasOver && this.#last) this.#report(this.#last, false);
    this.#loop.requeue();
  }

  #failed(err: unknown): void {
    if (this.#abort.signal.aborted && this.#state === 'syncing') return;
    this.#deps.log.warn(`Cannot sync pod "${namespaceOf(this.#pod)}/${this.#pod.metadata.name}": ${messageOf(err)}`);
  }

  async #read(): Promise<PodRuntime> {
    const found = await this.#deps.reader.read(this.uid, this.#pod.metadata.name, namespaceOf(this.#pod));
    this.#last = this.#allocation.update(this.#pod, found, this.#deps.resizeProblem);
    return this.#last;
  }

  /** Gives the ms until the next sync, unless something happens before. */
  async #sync(): Promise<number | undefined> {
    if (this.#state === 'terminated') return this.#syncTerminatedPod();
    const runtime = await this.#read();
    return this.#state === 'terminating' ? this.#syncTerminatingPod(runtime) : this.#syncPod(runtime);
  }

  async #syncPod(runtime: PodRuntime): Promise<number | undefined> {
    this.#deps.probes.sync(this.#pod, runtime);
    await this.#admit(runtime);
    const status = this.#rejected ? this.#status.reject(this.#pod, this.#rejected) : this.#report(runtime, false);
    if (this.#gone || this.#pod.metadata.deletionTimestamp || isFinal(status.phase)) return this.#syncTerminatingPod(runtime);
    return this.#keepGoing(runtime);
  }

  async #admit(runtime: PodRuntime): Promise<void> {
    if (this.#admitted) return;
    this.#rejected = runtime.containers.length > 0 ? undefined : await this.#deps.admit(this.#pod);
    this.#admitted = true;
    if (this.#rejected) this.#deps.events.pod(this.#pod, 'Warning', this.#rejected.reason, this.#rejected.message);
  }

  async #keepGoing(runtime: PodRuntime): Promise<number> {
    const { events, probes, networkProblem } = this.#deps;
    const pod = this.allocated;
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
    return Math.min(await this.#act(pod, runtime, actions), deadline);
  }

  async #act(pod: Pod, runtime: PodRuntime, actions: PodActions): Promise<number> {
    const manager = this.#deps.runtime;
    const facts = this.#facts(runtime);
    const volumes = await this.#volumes.setUp(this.#pod, facts);
    const onStarted = async (): Promise<void> => void (await this.#refresh());
    const outcome = await manager.syncPod({ pod, runtime, actions, volumes, facts, onStarted, signal: this.#abort.signal });
    this.#status.tried(actions.start, outcome.waiting);
    const resized = this.#allocation.resized(outcome.resized, outcome.resizeProblem);
    const hasStarted = outcome.started.length > 0;
    const hasKilled = actions.killPod || actions.kill.length > 0;
    const isChanged = hasKilled || hasStarted || resized || actions.createSandbox !== undefined || outcome.waiting.size > 0;
    await manager.collect(isChanged ? await this.#refresh() : runtime, false);
    if (outcome.error !== undefined) throw new Error(outcome.error);
    // What was started may be followed by more (the next init container): look right away.
    if (hasStarted && outcome.waiting.size === 0) return 0;
    return Math.min(outcome.retryMs ?? resyncMs, resyncMs);
  }

  /** ms that activeDeadlineSeconds leaves. */
  #deadlineMs(): number {
    const seconds = specOf(this.#pod).activeDeadlineSeconds;
    const start = this.status.startTime;
    if (seconds === undefined || start === undefined) return Number.POSITIVE_INFINITY;
    return Date.parse(start) + seconds * 1000 - this.#deps.clock.now();
  }

  #facts(runtime: PodRuntime): NodeFacts {
    const { facts } = this.#deps;
    return { ...facts, podIps: specOf(this.#pod).hostNetwork ? facts.hostIps : (runtime.sandboxes[0]?.ips ?? []) };
  }

  async #refresh(): Promise<PodRuntime> {
    const runtime = await this.#read();
    this.#deps.probes.sync(this.#pod, runtime);
    this.#report(runtime, false);
    return runtime;
  }

  #report(runtime: PodRuntime, terminal: boolean): PodStatus {
    return this.#status.report(this.#pod, this.#allocation, runtime, terminal);
  }

  /** The mirror of a static pod has been made (anew): it needs the status. */
  rewrite(): void {
    this.#status.rewrite(this.#pod);
  }

  async #syncTerminatingPod(found: PodRuntime): Promise<number | undefined> {
    const { probes, statuses, volumes, cgroups } = this.#deps;
    this.#state = 'terminating';
    this.#abort.abort(new Error('the pod is to end'));
    const runtime = (await this.#stop.run(found, this.#pod)) ? await this.#read() : found;
    probes.forget(this.uid);
    // Nothing of what an earlier process reported as final is to be overwritten.
    if (!this.#wasOver) this.#report(runtime, true);
    await statuses.flush(this.uid);
    this.#state = 'terminated';
    if (this.#gone || !this.#pod.metadata.deletionTimestamp) {
      await volumes.tearDown(this.uid);
      await cgroups.removePod(podResources(this.#pod).cgroup);
    }
    return this.#syncTerminatedPod();
  }

  /** The containers of a pod that has run to its end stay for their logs until its object goes. */
  async #syncTerminatedPod(): Promise<number | undefined> {
    if (!this.#gone && !this.#pod.metadata.deletionTimestamp) return resyncMs;
    const { statuses, target } = this.#deps;
    const api = target(this.#pod);
    if (!this.#gone && api) await statuses.remove(api.target);
    await this.#cleanUp();
    this.#state = 'finished';
    return undefined;
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
    this.#loop.close();
    this.#abort.abort(new Error('the kubelet ends'));
  }
}
