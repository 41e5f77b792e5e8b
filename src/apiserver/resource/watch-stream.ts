/**
 * One watcher: turns the events of a cache into frames and writes them to a connection. A watcher that reads too slowly holds
 * no queue of its own: it remembers the last revision it was sent and goes on from the cache's log when the connection has
 * room again; when the log no longer reaches back, it is told so (410) and lists again.
 */
import type { KindedObject } from '../../api/codec/protobuf.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { CacheEvent } from '../cache/event-log.ts';
import type { CacheListener, ResourceCache } from '../cache/resource-cache.ts';
import { expired, internalError, isStatusError } from '../status/status-error.ts';
import type { Presentation } from './presentation.ts';
import type { Selection } from './selection.ts';

/** Where frames go: an HTTP reply, or a WebSocket. */
interface FrameSink {
  /** False when the sink is full: nothing more is written until `onDrain`. */
  write(frame: Buffer): boolean;
  end(): void;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

interface WatchStreamOptions {
  readonly cache: ResourceCache;
  /** Only keys that begin with this. */
  readonly prefix: string;
  readonly selection: Selection;
  readonly presentation: Presentation;
  /** Where objects take time to be shown: events as the watcher is to see them, in their order. May fail with a StatusError, which ends the stream. */
  readonly convert?: ((events: readonly CacheEvent[]) => Promise<readonly CacheEvent[]>) | undefined;
  readonly sink: FrameSink;
  /** Everything up to this revision is known to the client. */
  readonly after: number;
  /** The newest revision of the server, for bookmarks. */
  readonly revisionNow: () => number;
}

/** Events that are written at once while a watcher catches up. */
const atOnce = 256;

/** Where a part of about so many events ends: etcd deletes all that expires with one lease at one revision, and who was sent half of that would miss the rest. */
function endOfRevision(events: readonly CacheEvent[], count: number): number {
  let end = Math.min(count, events.length);
  while (end < events.length && events[end]!.revision === events[end - 1]!.revision) end++;
  return end;
}

export class WatchStream implements CacheListener {
  readonly mayWait = true;
  readonly #o: WatchStreamOptions;
  readonly #wholeCache: boolean;
  #sent: number;
  #started = false;
  #full = false;
  #ended = false;
  /** Events are being converted. */
  #isConverting = false;
  #unlisten: () => void = () => {};

  constructor(options: WatchStreamOptions) {
    this.#o = options;
    this.#sent = options.after;
    this.#wholeCache = options.prefix === options.cache.prefix;
  }

  /** Writes objects as ADDED events; resolves when all are written. `waitForRoom` resolves when the sink has drained. */
  async sendInitial(objects: readonly CachedObject[], waitForRoom: () => Promise<void>): Promise<void> {
    let group: Buffer[] = [];
    let size = 0;
    for (const object of objects) {
      if (!this.#o.selection.matches(object)) continue;
      const frame = this.#o.presentation.encoding.event('ADDED', this.#o.presentation.one(object));
      group.push(frame);
      size += frame.length;
      if (size < 256 << 10) continue;
      if (!this.#o.sink.write(Buffer.concat(group))) await waitForRoom();
      if (this.#ended) return;
      group = [];
      size = 0;
    }
    if (group.length > 0 && !this.#o.sink.write(Buffer.concat(group))) await waitForRoom();
  }

  /** Catches up from the log and follows from then on. */
  start(): void {
    if (this.#ended) return;
    this.#started = true;
    const { cache, selection, convert } = this.#o;
    // Names are the same in all versions; what else is looked at may not be.
    const index = convert && selection.name === undefined ? undefined : selection.index;
    this.#unlisten = cache.listen(this, index);
    this.#catchUp();
  }

  /** The client is told up to where it has seen everything, so that it can go on from there after a break. */
  bookmark(annotations?: Readonly<Record<string, string>>): void {
    // What it has not been told of yet comes before a revision that says so.
    this.#o.cache.hurry(this);
    if (this.#full || this.#ended) return;
    // Before `start` nothing that came meanwhile was sent.
    const revision = this.#started && !this.#isConverting ? Math.max(this.#sent, this.#o.revisionNow()) : this.#sent;
    // A later one, while events are being converted, must not say less.
    if (this.#o.convert) this.#sent = revision;
    const object = this.#o.presentation.empty({
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations ? { annotations } : {}),
    });
    this.#write(this.#event('BOOKMARK', object));
  }

  /** The sink has room again. */
  onDrain(): void {
    // Who was never full has missed nothing, though what it was sent last may be older than the log: few events may concern it.
    if (!this.#full) return;
    this.#full = false;
    if (this.#started) this.#catchUp();
  }

  onEvents(events: readonly CacheEvent[]): void {
    if (this.#full || this.#ended) return;
    // They are in the log.
    if (this.#o.convert) this.#catchUp();
    else this.#deliver(events);
  }

  #deliver(events: readonly CacheEvent[]): void {
    const frames: Buffer[] = [];
    for (const event of events) {
      if (event.revision <= this.#sent) continue;
      const frame = this.#frame(event);
      if (frame) frames.push(frame);
    }
    const last = events.at(-1);
    if (last && last.revision > this.#sent) this.#sent = last.revision;
    if (frames.length > 0) this.#write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }

  onReset(): void {
    this.fail(expired('too old resource version: the server has read its store anew').status);
  }

  onEnd(): void {
    this.end();
  }

  /** Ends the stream with an ERROR event. */
  fail(status: KindedObject): void {
    if (this.#ended) return;
    this.#o.sink.write(this.#event('ERROR', status));
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.stop();
    this.#o.sink.end();
  }

  /** The client has gone. */
  stop(): void {
    this.#ended = true;
    this.#unlisten();
  }

  #catchUp(): void {
    const { convert } = this.#o;
    if (convert) {
      if (!this.#isConverting) void this.#catchUpConverted(convert);
      return;
    }
    while (!this.#full && !this.#ended) {
      const next = this.#nextMissed();
      if (next.length === 0) return;
      this.#deliver(next);
      // Frames of old events were made for this watcher alone: the log must not keep them.
      this.#o.cache.forgetFrames(next);
    }
  }

  /** None when there are none, and when they are forgotten, which ends the stream. */
  #nextMissed(): readonly CacheEvent[] {
    const missed = this.#o.cache.eventsAfter(this.#sent);
    if (!missed) this.fail(expired(`too old resource version: ${this.#sent} (${this.#o.cache.floor})`).status);
    return missed?.slice(0, endOfRevision(missed, atOnce)) ?? [];
  }

  /** A part after the other from the log, so that however long it takes no queue grows here. Never rejects. */
  async #catchUpConverted(convert: NonNullable<WatchStreamOptions['convert']>): Promise<void> {
    this.#isConverting = true;
    try {
      for (let next = this.#nextMissed(); next.length > 0 && !this.#ended; next = this.#full ? [] : this.#nextMissed()) {
        const mine = next.filter((event) => this.#mayConcern(event));
        const converted = mine.length > 0 ? await convert(mine) : [];
        if (this.#ended) return;
        this.#deliver(converted);
        this.#sent = Math.max(this.#sent, next.at(-1)!.revision);
        // Others who waited for the same have their turn before, and share them.
        setImmediate(() => {
          for (const { frames } of converted) frames.clear();
        });
      }
    } catch (err) {
      this.fail(isStatusError(err) ? err.status : internalError(messageOf(err)).status);
    } finally {
      this.#isConverting = false;
    }
  }

  /** By its key alone. */
  #mayConcern(event: CacheEvent): boolean {
    const { prefix, selection } = this.#o;
    const { key } = (event.current ?? event.previous)!;
    return key.startsWith(prefix) && (selection.name === undefined || key.endsWith(`/${selection.name}`));
  }

  /** An event about no object of the cache. */
  #event(type: string, object: KindedObject): Buffer {
    const { encoding } = this.#o.presentation;
    return encoding.event(type, encoding.encode(object));
  }

  #write(buffer: Buffer): void {
    if (!this.#o.sink.write(buffer)) this.#full = true;
  }

  #frame(event: CacheEvent): Buffer | undefined {
    const { prefix, selection } = this.#o;
    const key = (event.current ?? event.previous)!.key;
    if (!this.#wholeCache && !key.startsWith(prefix)) return undefined;
    const now = event.current !== undefined && selection.matches(event.current);
    const before = event.previous !== undefined && selection.matches(event.previous);
    if (now) return this.#shared(event, before ? 'MODIFIED' : 'ADDED', event.current!);
    // What no longer matches is gone for this watcher, and is shown as it last matched.
    return before ? this.#shared(event, 'DELETED', event.previous!) : undefined;
  }

  #shared(event: CacheEvent, type: EventType, object: CachedObject): Buffer {
    const id = `${type} ${this.#o.presentation.id}`;
    let frame = event.frames.get(id);
    if (!frame) {
      const { presentation } = this.#o;
      frame = presentation.encoding.event(type, presentation.one(type === 'DELETED' ? object.at(event.revision) : object));
      event.frames.set(id, frame);
    }
    return frame;
  }
}
