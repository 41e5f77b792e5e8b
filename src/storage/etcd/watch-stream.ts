/**
 * All watches of a store, on one stream to one member. When the stream breaks, a new one is opened to the next member, and each watch
 * goes on with the event after the last one that came. In an etcd that was set back that event is of another history: watches end there.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../clock/clock.ts';
import { type KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { Compacted } from '../store.ts';
import type { Endpoints, OpenedStream } from './endpoints.ts';
import { failed } from './etcd-error.ts';
import { codec, type Message } from './messages.ts';
import type { Watcher } from './watcher.ts';

const firstRetryMs = 50;
const maxRetryMs = 1_000;

/** The id under which newer versions refuse a watch; 3.4 answers with that of the request (etcd-io/etcd, server/etcdserver/api/v3rpc/watch.go). */
const refusedId = -1;

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** A watch on the stream, under the id that it has there. */
interface Place {
  readonly watcher: Watcher;
  /** Parts of an answer that came in several. */
  readonly parts: Message<'Event'>[];
}

export class WatchStream {
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #log: Log;
  /** The store's URL, for messages. */
  readonly #shown: string;
  /** Those that are watched, or will be when there is a stream. */
  readonly #watchers = new Set<Watcher>();
  readonly #places = new Map<number, Place>();
  /** Ids that etcd was asked for and has not answered yet, of watches that were stopped meanwhile, too. It answers in the order in which it is asked. */
  readonly #asked = new Set<number>();
  #lastId = 0;
  #stream: Stream | undefined;
  #url = '';
  #isOpening = false;
  #retry: { cancel(): void } | undefined;
  #retryMs = firstRetryMs;
  #closed = false;

  constructor(endpoints: Endpoints, clock: Clock, log: Log, shown: string) {
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#log = log;
    this.#shown = shown;
    endpoints.onSilence = (url) => {
      if (this.#stream && url === this.#url) this.#broke(this.#stream, 'it does not answer');
    };
  }

  get watchers(): ReadonlySet<Watcher> {
    return this.#watchers;
  }

  /** Begins to fill a watcher from its `next` revision on, if it is not filled already. */
  fill(watcher: Watcher): void {
    if (this.#closed) watcher.end(this.#endpoints.setBack);
    if (watcher.hasEnded || this.#watchers.has(watcher)) return;
    this.#watchers.add(watcher);
    if (this.#stream) this.#create(this.#stream, watcher);
    else if (!this.#retry && !this.#isOpening) this.#open();
  }

  /** Fills it no longer. */
  stop(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    for (const [watchId, place] of this.#places) {
      if (place.watcher !== watcher) continue;
      this.#places.delete(watchId);
      this.#stream?.write(codec.encode('WatchRequest', { cancelRequest: { watchId } }));
    }
  }

  /** Ends all watches, and begins no more: they say why, if there is a problem. */
  close(problem?: KnownError): void {
    this.#closed = true;
    this.#retry?.cancel();
    for (const watcher of this.#watchers) watcher.end(problem);
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  #open(): void {
    this.#retry = undefined;
    this.#isOpening = true;
    this.#endpoints
      .openWatchStream()
      .finally(() => {
        this.#isOpening = false;
      })
      .then(
        (opened) => this.#opened(opened),
        (err: unknown) => this.#openLater(err),
      );
  }

  #opened({ url, stream, isSure }: OpenedStream): void {
    stream.on('error', (err) => this.#broke(stream, messageOf(err)));
    if (this.#closed) {
      stream.cancel();
      return;
    }
    this.#stream = stream;
    this.#url = url;
    stream.once('data', () => {
      if (!isSure()) this.#broke(stream, 'its connection is a new one');
    });
    stream.on('data', (bytes: Buffer) => this.#take(stream, codec.decode('WatchResponse', bytes)));
    stream.on('end', () => this.#broke(stream, 'it ended'));
    for (const watcher of this.#watchers) this.#create(stream, watcher);
  }

  #broke(stream: Stream, why: string): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    stream.cancel();
    this.#places.clear();
    this.#asked.clear();
    this.#endpoints.failed(this.#url);
    this.#openLater(why);
  }

  #openLater(why: unknown): void {
    if (this.#closed) return;
    this.#log.debug('there is no stream of watches, opening one', { error: messageOf(why) });
    this.#retry = this.#clock.after(this.#retryMs, () => this.#open());
    this.#retryMs = Math.min(maxRetryMs, this.#retryMs * 2);
  }

  /**
   * It begins one revision early, which the watcher drops: etcd takes up a watch at the revision that it compacted to, although a
   * deletion of that revision may be forgotten.
   */
  #create(stream: Stream, watcher: Watcher): void {
    const watchId = ++this.#lastId;
    this.#places.set(watchId, { watcher, parts: [] });
    this.#asked.add(watchId);
    const startRevision = Math.max(1, watcher.next - 1);
    const createRequest = { ...watcher.range, startRevision, watchId, progressNotify: true, prevKv: true, fragment: true };
    stream.write(codec.encode('WatchRequest', { createRequest }));
  }

  #take(stream: Stream, message: Message<'WatchResponse'>): void {
    if (stream !== this.#stream) return;
    this.#retryMs = firstRetryMs;
    const place = this.#places.get(message.created ? this.#answered(message.watchId) : message.watchId);
    if (!place) return;
    if (message.canceled) this.#canceled(place.watcher, message);
    else if (message.fragment || place.parts.length > 0) this.#part(place, message);
    else if (message.events.length > 0) this.#push(place.watcher, message.events);
    // A notice of progress, which etcd sends to this watch alone when it has nothing else for it.
    else if (!message.created) place.watcher.notice(message.header!.revision);
  }

  /** The id under which it was asked for what is answered now. */
  #answered(watchId: number): number {
    const asked = watchId === refusedId ? (this.#asked.values().next().value ?? refusedId) : watchId;
    this.#asked.delete(asked);
    return asked;
  }

  /** Events of one revision may come in parts: none is taken before all are here, so that a new stream can begin behind it. */
  #part(place: Place, { events, fragment }: Message<'WatchResponse'>): void {
    place.parts.push(...events);
    if (!fragment) this.#push(place.watcher, place.parts.splice(0));
  }

  #push(watcher: Watcher, events: readonly Message<'Event'>[]): void {
    this.#endpoints.newest.sawEvents(events);
    watcher.push(events);
    if (watcher.isFull || watcher.hasEnded) this.stop(watcher);
  }

  #canceled(watcher: Watcher, { compactRevision, cancelReason }: Message<'WatchResponse'>): void {
    const why = { details: cancelReason };
    watcher.end(compactRevision > 0 ? new Compacted(watcher.next, compactRevision) : failed('watch', this.#shown, why));
    this.stop(watcher);
  }
}
