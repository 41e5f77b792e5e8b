/** The scheduler's edge: informers keep the Cluster and the queue, one loop chooses, bindings go out several at a time. */
import { setImmediate } from 'node:timers/promises';
import { objectKey } from '../api/object-key.ts';
import { bindings, pods } from '../api/resource-types.ts';
import type { Pod } from '../api/schema/types.ts';
import { isConflict, isNotFound } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { InformerSet } from '../client/informers.ts';
import { aborted, onAbort } from '../clock/aborted.ts';
import type { BackOffOptions } from '../clock/back-off.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { choose, refusalMessage } from './choose.ts';
import { Cluster } from './cluster.ts';
import { addEventHandlers } from './event-handlers.ts';
import { defaultProfile, type Profile, schedulerNameOf } from './profile.ts';
import { defaultBackOff, SchedulingQueue } from './queue.ts';

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
  readonly #pods: Informer<Pod>;
  readonly #synced: Promise<unknown>;
  /** Where the next pod begins to look at nodes. */
  #startAt = 0;

  constructor(options: SchedulerOptions) {
    this.#options = { clock: systemClock, random: Math.random, profiles: [defaultProfile], podBackOff: defaultBackOff, ...options };
    const { client, informers, log, clock, profiles, podBackOff } = this.#options;
    this.#profiles = new Map(
      profiles.map((profile) => [profile.name, { profile, recorder: new EventRecorder({ client, component: profile.name, clock, log }) }]),
    );
    this.#queue = new SchedulingQueue(clock, podBackOff);
    const isMine = (name: string): boolean => this.#profiles.has(name);
    ({ pods: this.#pods, synced: this.#synced } = addEventHandlers(informers, this.#cluster, this.#queue, isMine));
  }

  /** Until the signal aborts and what was under way is done. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    onAbort(signal, () => this.#queue.close());
    await Promise.race([this.#synced, aborted(signal)]);
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
    await Promise.all(bindingCycles);
  }

  /** Finds a node for a pod, counts the pod there at once, and gives the binding that is under way; undefined when no node does. */
  #scheduleOne(key: string): Promise<void> | undefined {
    const pod = this.#pods.get(key);
    const by = pod && this.#profiles.get(schedulerNameOf(pod));
    if (!by || pod.spec?.nodeName || pod.metadata.deletionTimestamp) {
      this.#queue.remove(key);
      return undefined;
    }
    const { moves } = this.#queue;
    const choice = this.#choose(pod, by);
    if (choice === undefined) {
      this.#queue.failed(key, moves - 1);
      return undefined;
    }
    if (choice.kind !== 'node') {
      this.#queue.failed(key, moves);
      void this.#refuse(pod, by.recorder, refusalMessage(choice, this.#cluster.nodes.length));
      return undefined;
    }
    this.#cluster.assume(key, pod, choice.name);
    return this.#bind(key, pod, by.recorder, choice.name);
  }

  /** Undefined for a pod at which a plugin fails: the others are not to wait for it. */
  #choose(pod: Pod, { profile, recorder }: Responsible): ReturnType<typeof choose> | undefined {
    try {
      return choose(pod, this.#cluster, profile, this.#startAt++, this.#options.random());
    } catch (err) {
      this.#options.log.error(`Cannot look for a node for pod "${objectKey(pod)}": ${messageOf(err)}`, { err });
      recorder.event(pod, 'Warning', 'FailedScheduling', messageOf(err));
      return undefined;
    }
  }

  async #bind(key: string, pod: Pod, recorder: EventRecorder, nodeName: string): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const { moves } = this.#queue;
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    const binding = { apiVersion: 'v1', kind: bindings.kind, metadata: { name, namespace, uid }, target };
    try {
      await this.#options.client.createSubresource(pods, name, 'binding', binding, { namespace });
      // One of the same name may wait by now.
      if ((this.#pods.get(key)?.metadata.uid ?? uid) === uid) this.#queue.remove(key);
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`);
    } catch (err) {
      if (!this.#options.signal.aborted) this.#bindingFailed(err, key, nodeName, moves);
    }
  }

  #bindingFailed(err: unknown, key: string, nodeName: string, moves: number): void {
    if (this.#cluster.isAssumed(key)) this.#cluster.removePod(key);
    if (isNotFound(err) && !this.#pods.get(key)) {
      this.#queue.remove(key);
      return;
    }
    // Bound by somebody else: the informer tells where.
    if (!isConflict(err))
      this.#options.log.warn(`Cannot bind pod "${key}" to node "${nodeName}": ${messageOf(err)}`, { pod: key, node: nodeName });
    this.#queue.failed(key, moves - 1);
  }

  /** Says why no node does, in an event and in the condition that `kubectl describe` and autoscalers read. */
  async #refuse(pod: Pod, recorder: EventRecorder, message: string): Promise<void> {
    const { client, clock, log, signal } = this.#options;
    recorder.event(pod, 'Warning', 'FailedScheduling', message);
    const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    const { name, namespace = '', generation } = pod.metadata;
    // An API server before 1.34 knows no generation in conditions: to write it again and again would help nobody.
    const isCurrent = (condition?.observedGeneration ?? generation) === generation;
    if (condition?.status === 'False' && condition.message === message && isCurrent) return;
    const lastTransitionTime = condition?.status === 'False' ? condition.lastTransitionTime : timestamp(clock.now());
    const unschedulable = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime };
    const patch = { status: { conditions: [{ ...unschedulable, observedGeneration: generation }] } };
    await client.patch(pods, name, patch, { namespace, subresource: 'status', kind: 'strategic' }).catch((err: unknown) => {
      if (!isNotFound(err) && !signal.aborted) log.debug(`Cannot write the condition of pod "${objectKey(pod)}": ${messageOf(err)}`);
    });
  }
}

/** Runs until the signal aborts. */
export function startScheduler(options: SchedulerOptions): Promise<void> {
  return new Scheduler(options).run();
}
