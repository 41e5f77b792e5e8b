/**
 * Tells the cluster what happened to an object. The same event again raises the count of the one that is there, as
 * client-go's correlator does, so that a failure in a loop stays one line of `kubectl get events`.
 */
import { randomUUID } from 'node:crypto';
import { events, type KubeObject } from '../api/resource-types.ts';
import type { Event, ObjectReference } from '../api/schema/types.ts';
import type { Clock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { isNotFound } from './api-error.ts';
import type { Client } from './client.ts';

/** What an event says. */
export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

interface EventRecorderOptions {
  readonly client: Client;
  /** `kubelet`, `default-scheduler` … */
  readonly component: string;
  /** The node it runs on, for events of a node's parts. */
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Log;
}

const keepMs = 10 * 60_000;
const maxKnown = 4096;
/** More than this wait for a slow server: the newest are dropped, as client-go does. */
const maxWaiting = 1000;

interface Known {
  readonly name: string;
  count: number;
  at: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #known = new Map<string, Known>();
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** What stands in the last name that was given, in nanoseconds. */
  #newest = 0n;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Sends in the background, in order; an event that cannot be sent is lost, never in the way. */
  event(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
    if (this.#waiting >= maxWaiting) return;
    this.#waiting++;
    const ref = { ...referenceTo(about), fieldPath };
    const at = this.#options.clock.now();
    this.#last = this.#last
      .then(() => this.#send(ref, at, { type, reason, message }))
      .catch((err) => this.#options.log.debug(`Cannot record event ${reason}: ${messageOf(err)}`))
      .finally(() => {
        this.#waiting--;
      });
  }

  /** Resolves when everything recorded so far has been sent. */
  flush(): Promise<void> {
    return this.#last;
  }

  /** As client-go's, by the nanosecond: lists are in the order of names, so what came first stands first, also within a second. */
  #nameFor({ name }: ObjectReference, at: number): string {
    // Below a millisecond by chance, as another process may tell of the same object.
    const drawn = BigInt(Math.floor(at)) * 1_000_000n + BigInt(Math.floor(Math.random() * 500_000));
    this.#newest = drawn > this.#newest ? drawn : this.#newest + 1n;
    const found = `${name}.${this.#newest.toString(16)}`;
    // Of an object with a long name, or one that is no name of DNS.
    return found.length > 253 || !/^[a-z0-9.-]+$/.test(found) ? randomUUID() : found;
  }

  /** `at` is when it happened, in milliseconds since the epoch. */
  async #send(ref: ObjectReference, at: number, { type, reason, message }: EventText): Promise<void> {
    const { client, clock, component, host } = this.#options;
    const now = timestamp(at);
    // The namespace of an event about something without one is default.
    const namespace = ref.namespace || 'default';
    const key = [ref.uid ?? ref.name, ref.fieldPath, type, reason, message].join('\u0000');
    const known = this.#known.get(key);
    if (known && clock.monotonic() - known.at < keepMs) {
      known.count++;
      known.at = clock.monotonic();
      try {
        await client.patch(events, known.name, { count: known.count, lastTimestamp: now }, { namespace });
        return;
      } catch (err) {
        // It outlived its hour: make a new one.
        if (!isNotFound(err)) throw err;
      }
    }
    const name = this.#nameFor(ref, at);
    const source = { component, ...(host === undefined ? {} : { host }) };
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: ref,
      type,
      reason,
      message: message.slice(0, 1024),
      source,
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    await client.create(events, event);
    this.#known.set(key, { name, count: 1, at: clock.monotonic() });
    if (this.#known.size > maxKnown) {
      const oldest = this.#known.keys().next();
      if (!oldest.done) this.#known.delete(oldest.value);
    }
  }
}

/** client-go's GetReference. */
export function referenceTo({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }: KubeObject): ObjectReference {
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}
