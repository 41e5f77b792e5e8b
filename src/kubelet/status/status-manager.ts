/** Writes pod statuses to the API: only what changed, one write at a time for each pod, and again until it is there. */

import { isDeepStrictEqual } from 'node:util';
import { pods } from '../../api/resource-types.ts';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { statusPatch } from './status-patch.ts';

export interface StatusTarget {
  readonly namespace: string;
  readonly name: string;
  /** Of the object in the API, which for a static pod is its mirror. */
  readonly uid: string;
}

interface Entry {
  target: StatusTarget;
  wanted: PodStatus;
  /** What the API holds, as far as is known. */
  written: PodStatus;
  isWriting: boolean;
  /** Settles with the write that was begun last. */
  writes: Promise<void>;
}

const retry = { durationMs: 500, capMs: 10_000 };

export interface StatusManagerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export class StatusManager {
  readonly #options: StatusManagerOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: StatusManagerOptions) {
    this.#options = options;
  }

  /** Wants `status`; `known` is what the API holds, used for the first write. */
  set(uid: string, target: StatusTarget, known: PodStatus, status: PodStatus): void {
    let entry = this.#entries.get(uid);
    if (!entry || entry.target.uid !== target.uid) {
      entry = { target, wanted: status, written: known, isWriting: false, writes: Promise.resolve() };
      this.#entries.set(uid, entry);
    } else if (isDeepStrictEqual(entry.wanted, status)) return;
    entry.wanted = status;
    this.#write(entry);
  }

  /** The API's object shows a status that is not what was wanted (somebody overwrote it, or a write was lost): writes it again. */
  observe(uid: string, pod: Pod): void {
    const entry = this.#entries.get(uid);
    if (!entry || entry.isWriting || entry.target.uid !== pod.metadata.uid) return;
    entry.written = pod.status ?? {};
    if (statusPatch(entry.written, entry.wanted)) this.#write(entry);
  }

  /** Resolves when what is wanted now has been written (or cannot be, as the pod is gone). */
  async flush(uid: string): Promise<void> {
    for (let entry = this.#entries.get(uid); entry?.isWriting; entry = this.#entries.get(uid)) await entry.writes;
  }

  /** The pod has ended: its object may go. Resolves when it is gone. */
  async remove(target: StatusTarget): Promise<void> {
    const { client, clock, signal } = this.#options;
    const backOff = new BackOff(retry);
    for (;;) {
      try {
        await client.delete(pods, target.name, { namespace: target.namespace, gracePeriodSeconds: 0, preconditions: { uid: target.uid } });
        return;
      } catch (err) {
        // Gone, or another pod has its name by now.
        if (isNotFound(err) || isConflict(err)) return;
        this.#options.log.warn(`Cannot delete pod "${target.namespace}/${target.name}": ${messageOf(err)}`);
        await clock.sleep(backOff.step(), signal);
      }
    }
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  #write(entry: Entry): void {
    if (entry.isWriting) return;
    entry.isWriting = true;
    entry.writes = this.#writeAll(entry).catch((err) =>
      this.#options.log.debug(`Status of pod "${entry.target.name}" was given up: ${messageOf(err)}`),
    );
  }

  async #writeAll(entry: Entry): Promise<void> {
    const { client, clock, signal, log } = this.#options;
    const backOff = new BackOff(retry);
    // The flag falls here and not behind another await: a wish that came in between would begin no write, and be nobody's.
    try {
      for (;;) {
        const status = entry.wanted;
        const patch = statusPatch(entry.written, status);
        if (!patch) return;
        const { namespace, name, uid } = entry.target;
        try {
          await client.patch(pods, name, { metadata: { uid }, status: patch }, { namespace, kind: 'strategic', subresource: 'status' });
          entry.written = status;
          backOff.reset();
        } catch (err) {
          // Gone, or another pod has its name by now.
          if (isNotFound(err) || isConflict(err)) return;
          log.warn(`Cannot write the status of pod "${namespace}/${name}": ${messageOf(err)}`);
          await clock.sleep(backOff.step(), signal);
        }
      }
    } finally {
      entry.isWriting = false;
    }
  }
}
