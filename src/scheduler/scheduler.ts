/** The scheduler's edge: informers keep the Cluster and the queue, one loop chooses, bindings go out several at a time. */
import { setImmediate } from 'node:timers/promises';
import { objectKey } from '../api/object-key.ts';
import {
  bindings,
  type KubeObject,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
} from '../api/resource-types.ts';
import type { Pod } from '../api/schema/types.ts';
import { ignoreNotFound, isConflict, isNamespaceTerminating, isNotFound } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { InformerSet } from '../client/informers.ts';
import { aborted, onAbort } from '../clock/aborted.ts';
import type { BackOffOptions } from '../clock/back-off.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { type Choice, choose, refusalMessage } from './choose.ts';
import { Cluster } from './cluster.ts';
import { addEventHandlers, type Followed } from './event-handlers.ts';
import { Evictions } from './evictions.ts';
import { priorityOf } from './fit.ts';
import { type Preemption, preempt } from './preempt.ts';
import { defaultProfile, type Profile, schedulerNameOf } from './profile.ts';
import { defaultBackOff, SchedulingQueue } from './queue.ts';
import { VolumeBinder } from './volume-binder.ts';
import type { VolumePlan } from './volume-plan.ts';

interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Only pods that name one of them are looked at. */
  readonly profiles?: readonly Profile[];
  /** How long a pod that did not fit is left alone. */
  readonly podBackOff?: BackOffOptions;
  /** 0 ≤ x < 1; decides between nodes that are equally good. */
  readonly random?: () => number;
}

interface Responsible {
  readonly profile: Profile;
  readonly recorder: EventRecorder;
}

/** How many bindings may be on their way at a time. */
const maxBindings = 16;
/** Longest stretch of choosing without letting others run. */
const sliceMs = 10;

class Scheduler {
  readonly #options: Required<SchedulerOptions>;
  /** By name, with who tells of its pods. */
  readonly #profiles: ReadonlyMap<string, Responsible>;
  readonly #cluster = new Cluster();
  readonly #queue: SchedulingQueue;
  readonly #followed: Followed;
  readonly #evictions: Evictions;
  readonly #volumes: VolumeBinder;
  /** Pods whose claims get their volumes, which may take minutes: no binding waits for them. */
  readonly #waiting = new Set<Promise<void>>();
  /** Where the next pod begins to look at nodes. */
  #startAt = 0;

  constructor(options: SchedulerOptions) {
    this.#options = { clock: systemClock, random: Math.random, profiles: [defaultProfile], podBackOff: defaultBackOff, ...options };
    const { client, informers, log, clock, profiles, podBackOff, signal } = this.#options;
    this.#profiles = new Map(
      profiles.map((profile) => [profile.name, { profile, recorder: new EventRecorder({ client, component: profile.name, clock, log }) }]),
    );
    this.#queue = new SchedulingQueue(clock, podBackOff);
    const isMine = (name: string): boolean => this.#profiles.has(name);
    this.#followed = addEventHandlers(informers, this.#cluster, this.#queue, isMine);
    this.#evictions = new Evictions({ client, clock, pods: this.#followed.pods });
    this.#volumes = new VolumeBinder({ client, clock, signal, cluster: this.#cluster, pods: this.#followed.pods });
    const look = (): void => this.#volumes.look();
    for (const type of [pods, nodes, persistentVolumeClaims, persistentVolumes])
      informers.of<KubeObject>(type as ResourceType).on({ add: look, update: look, delete: look });
  }

  /** Until the signal aborts and what was under way is done. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    onAbort(signal, () => this.#queue.close());
    await Promise.race([this.#followed.synced, aborted(signal)]);
    const bindingCycles = new Set<Promise<void>>();
    let rested = performance.now();
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      // The API server may live in the same process: many pods that fit nowhere must not keep it from answering.
      if (performance.now() - rested > sliceMs) {
        await setImmediate();
        rested = performance.now();
      }
      const binding = this.#scheduleOne(key)?.finally(() => bindingCycles.delete(binding as Promise<void>));
      if (!binding) continue;
      bindingCycles.add(binding);
      if (bindingCycles.size >= maxBindings) await Promise.race(bindingCycles);
    }
    await Promise.all([...bindingCycles, ...this.#waiting]);
  }

  /** Finds a node for a pod, and counts the pod there at once. Gives the binding that is under way, or the evictions that make room for it. */
  #scheduleOne(key: string): Promise<void> | undefined {
    const pod = this.#followed.pods.get(key);
    const by = pod && this.#profiles.get(schedulerNameOf(pod));
    if (!by || pod.spec?.nodeName || pod.metadata.deletionTimestamp) {
      this.#queue.remove(key);
      return undefined;
    }
    const { moves } = this.#queue;
    if (this.#evictions.isUnderWay(key)) {
      this.#queue.failed(key, moves);
      return undefined;
    }
    const choice = this.#guarded(pod, by, () => choose(pod, this.#cluster, by.profile, this.#startAt++, this.#options.random()));
    if (choice === undefined) {
      this.#queue.failed(key, moves - 1);
      return undefined;
    }
    if (choice.kind !== 'node') {
      this.#queue.failed(key, moves);
      return this.#makeRoom(pod, by, choice);
    }
    const plan = this.#volumePlan(pod, by, choice.name);
    this.#cluster.assume(key, pod, choice.name);
    if (!plan) return this.#bind(key, pod, by.recorder, choice.name);
    this.#cluster.assumedVolumes.assume(plan);
    const waiting = this.#bindWithVolumes(key, pod, by.recorder, plan).finally(() => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
    return undefined;
  }

  #volumePlan(pod: Pod, { profile }: Responsible, nodeName: string): VolumePlan | undefined {
    const node = this.#cluster.nodeNamed(nodeName);
    return node && profile.plugins.map((plugin) => plugin.volumes?.(pod, this.#cluster, node)).find((plan) => plan !== undefined);
  }

  /** Undefined for a pod at which a plugin fails: the others are not to wait for it. */
  #guarded<T>(pod: Pod, { recorder }: Responsible, look: () => T): T | undefined {
    try {
      return look();
    } catch (err) {
      this.#options.log.error(`Cannot look for a node for pod "${objectKey(pod)}": ${messageOf(err)}`, { err });
      recorder.event(pod, 'Warning', 'FailedScheduling', messageOf(err));
      return undefined;
    }
  }

  /** Has pods of lower priority go, if that helps; says in any case why no node did. */
  #makeRoom(pod: Pod, by: Responsible, choice: Exclude<Choice, { readonly kind: 'node' }>): Promise<void> | undefined {
    const { recorder } = by;
    const { nodes, nominations } = this.#cluster;
    const preemption = nodes.length > 0 ? this.#guarded(pod, by, () => this.#preempt(pod, by.profile, choice)) : undefined;
    const isDone = preemption?.kind === 'victims';
    void this.#refuse(pod, recorder, refusalMessage(choice, nodes.length, isDone ? undefined : preemption?.why), nominationOf(preemption));
    if (preemption?.kind !== 'ineligible') nominations.set(objectKey(pod), pod, isDone ? preemption.node : undefined);
    return isDone ? this.#evict(pod, preemption, recorder) : undefined;
  }

  #preempt(pod: Pod, profile: Profile, choice: Exclude<Choice, { readonly kind: 'node' }>): Preemption | undefined {
    if (!profile.preemption) return undefined;
    const { random, clock } = this.#options;
    const refusals = choice.kind === 'none' ? choice.refusals : new Map();
    return preempt({
      ...{ pod, cluster: this.#cluster, profile, refusals },
      ...{ budgets: this.#followed.budgets.list(), pick: random(), now: clock.now() },
    });
  }

  async #evict(pod: Pod, preemption: Preemption & { readonly kind: 'victims' }, recorder: EventRecorder): Promise<void> {
    const { log, signal } = this.#options;
    try {
      await Promise.all([this.#evictions.evict(pod, preemption, recorder), this.#giveUpRoom(pod, preemption.node)]);
    } catch (err) {
      if (signal.aborted) return;
      log.warn(`Cannot make room for pod "${objectKey(pod)}" on node "${preemption.node}": ${messageOf(err)}`);
      this.#queue.moveAll();
    }
  }

  /** Those of lower priority for whom the node was kept look for another one. */
  async #giveUpRoom(pod: Pod, node: string): Promise<void> {
    const { nominations } = this.#cluster;
    const lower = nominations.all().filter((one) => one.node === node && priorityOf(one.pod) < priorityOf(pod));
    for (const one of lower) {
      nominations.forget(one.key);
      const { name, namespace = '' } = one.pod.metadata;
      const patch = { status: { nominatedNodeName: null } };
      const options = { namespace, subresource: 'status', kind: 'strategic' } as const;
      await this.#options.client.patch(pods, name, patch, options).catch(ignoreNotFound);
    }
    if (lower.length > 0) this.#queue.moveAll();
  }

  async #bindWithVolumes(key: string, pod: Pod, recorder: EventRecorder, plan: VolumePlan): Promise<void> {
    const { moves } = this.#queue;
    try {
      await this.#volumes.bind(pod, plan);
    } catch (err) {
      const isThere = this.#followed.pods.get(key)?.metadata.uid === pod.metadata.uid;
      // Of a pod that has gone nothing is left, and one of the same name has its own try.
      if (!isThere || this.#options.signal.aborted) return;
      recorder.event(pod, 'Warning', 'FailedScheduling', `running PreBind plugin "VolumeBinding": binding volumes: ${messageOf(err)}`);
      this.#takeBack(key, moves);
      return;
    }
    await this.#bind(key, pod, recorder, plan.node);
  }

  async #bind(key: string, pod: Pod, recorder: EventRecorder, nodeName: string): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const { moves } = this.#queue;
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    const binding = { apiVersion: 'v1', kind: bindings.kind, metadata: { name, namespace, uid }, target };
    try {
      await this.#options.client.createSubresource(pods, name, 'binding', binding, { namespace });
      // One of the same name may wait by now.
      if ((this.#followed.pods.get(key)?.metadata.uid ?? uid) === uid) this.#queue.remove(key);
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`);
    } catch (err) {
      if (!this.#options.signal.aborted) this.#bindingFailed(err, key, nodeName, moves);
    }
  }

  #bindingFailed(err: unknown, key: string, nodeName: string, moves: number): void {
    if (isNotFound(err) && !this.#followed.pods.get(key)) {
      if (this.#cluster.isAssumed(key)) this.#cluster.removePod(key);
      this.#queue.remove(key);
      return;
    }
    // Bound by somebody else: the informer tells where. In a namespace that ends nobody waits for it.
    if (!isConflict(err) && !isNamespaceTerminating(err))
      this.#options.log.warn(`Cannot bind pod "${key}" to node "${nodeName}": ${messageOf(err)}`, { pod: key, node: nodeName });
    this.#takeBack(key, moves);
  }

  /** It is on no node, and tried again after a while. */
  #takeBack(key: string, moves: number): void {
    if (this.#cluster.isAssumed(key)) this.#cluster.removePod(key);
    const pod = this.#followed.pods.get(key);
    if (pod && !pod.spec?.nodeName) this.#cluster.nominations.told(key, pod, undefined);
    this.#queue.failed(key, moves - 1);
  }

  /** Says why no node does, in an event and in the condition that `kubectl describe` and autoscalers read. */
  async #refuse(pod: Pod, recorder: EventRecorder, message: string, nominated: string | undefined): Promise<void> {
    const { client, clock, log, signal } = this.#options;
    recorder.event(pod, 'Warning', 'FailedScheduling', message);
    const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    const { name, namespace = '', generation } = pod.metadata;
    // An API server before 1.34 knows no generation in conditions: to write it again and again would help nobody.
    const isCurrent = (condition?.observedGeneration ?? generation) === generation;
    const isMoved = nominated !== undefined && nominated !== (pod.status?.nominatedNodeName ?? '');
    if (condition?.status === 'False' && condition.message === message && isCurrent && !isMoved) return;
    const lastTransitionTime = condition?.status === 'False' ? condition.lastTransitionTime : timestamp(clock.now());
    const unschedulable = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime };
    const conditions = [{ ...unschedulable, observedGeneration: generation }];
    const patch = { status: { conditions, ...(isMoved ? { nominatedNodeName: nominated || null } : {}) } };
    await client.patch(pods, name, patch, { namespace, subresource: 'status', kind: 'strategic' }).catch((err: unknown) => {
      if (!isNotFound(err) && !signal.aborted) log.debug(`Cannot write the condition of pod "${objectKey(pod)}": ${messageOf(err)}`);
    });
  }
}

/** What `status.nominatedNodeName` is to be; undefined, and it stays. */
function nominationOf(preemption: Preemption | undefined): string | undefined {
  if (preemption?.kind === 'ineligible') return undefined;
  return preemption?.kind === 'victims' ? preemption.node : '';
}

/** Runs until the signal aborts. */
export function startScheduler(options: SchedulerOptions): Promise<void> {
  return new Scheduler(options).run();
}
