/** Evicts pods for one of higher priority: marks them, deletes them, and tells of it. */
import { objectKey } from '../api/object-key.ts';
import { pods } from '../api/resource-types.ts';
import type { Pod } from '../api/schema/types.ts';
import { isConflict, isNotFound } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Clock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { type Candidate, disruptionTarget, preemptionReason } from './preempt.ts';
import { schedulerNameOf } from './profile.ts';

interface EvictionsOptions {
  readonly client: Pick<Client, 'patch' | 'delete'>;
  readonly clock: Clock;
  /** The pods as they were last told of. */
  readonly pods: Pick<ReadonlyMap<string, Pod>, 'get'>;
}

export class Evictions {
  readonly #options: EvictionsOptions;
  /** By who made room for itself. */
  readonly #victims = new Map<string, readonly Pod[]>();

  constructor(options: EvictionsOptions) {
    this.#options = options;
  }

  /** Whether some that must go for the pod are not seen to go yet: it would preempt others in their place. */
  isUnderWay(key: string): boolean {
    const victims = this.#victims.get(key) ?? [];
    const stays = victims.some((victim) => {
      const now = this.#options.pods.get(objectKey(victim));
      return now?.metadata.uid === victim.metadata.uid && now?.metadata.deletionTimestamp === undefined;
    });
    if (!stays) this.#victims.delete(key);
    return stays;
  }

  /** Rejects when one of them could not be evicted. */
  async evict(preemptor: Pod, { node, victims }: Candidate, recorder: Pick<EventRecorder, 'event'>): Promise<void> {
    for (const key of this.#victims.keys()) this.isUnderWay(key);
    const key = objectKey(preemptor);
    const staying = victims.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    this.#victims.set(key, staying);
    try {
      await Promise.all(staying.map((victim) => this.#evictOne(victim, preemptor, node, recorder)));
    } catch (err) {
      this.#victims.delete(key);
      throw err;
    }
  }

  async #evictOne(victim: Pod, preemptor: Pod, node: string, recorder: Pick<EventRecorder, 'event'>): Promise<void> {
    const { client, pods: told } = this.#options;
    const { name, namespace = '', uid } = victim.metadata;
    try {
      await client.patch(pods, name, this.#mark(victim, preemptor), { namespace, subresource: 'status', kind: 'strategic' });
      await client.delete(pods, name, { namespace, ...(uid ? { preconditions: { uid } } : {}) });
    } catch (err) {
      // It has gone by itself, or another one has its name by now.
      if (isNotFound(err) || (isConflict(err) && told.get(objectKey(victim))?.metadata.uid !== uid)) return;
      throw err;
    }
    recorder.event(victim, 'Normal', 'Preempted', `Preempted by pod ${preemptor.metadata.uid} on node ${node}`);
  }

  /** Says on the pod why it goes. */
  #mark({ metadata: { uid, generation }, status }: Pod, preemptor: Pod): object {
    const was = status?.conditions?.find(({ type }) => type === disruptionTarget);
    const lastTransitionTime = was?.status === 'True' ? was.lastTransitionTime : timestamp(this.#options.clock.now());
    const message = `${schedulerNameOf(preemptor)}: preempting to accommodate a higher priority pod`;
    const target = { type: disruptionTarget, status: 'True', reason: preemptionReason, message, lastTransitionTime };
    return { metadata: { uid }, status: { conditions: [{ ...target, observedGeneration: generation }] } };
  }
}
