/** The log of a history: what stood at a key at a revision, and between which times a revision must have begun. */
import type { Seen, WatchedEvent, Write } from './history.ts';

export interface Sighting {
  readonly revision: number;
  readonly at: number;
}

export class Timeline {
  readonly #log: readonly WatchedEvent[];
  readonly #byKey = new Map<string, WatchedEvent[]>();
  /** By place in the log: a revision began after its write was asked for, and those before it; and before anybody knew of it, or of one after it. */
  readonly #earliest: number[] = [];
  readonly #latest: number[] = [];

  constructor(log: readonly WatchedEvent[], originOf: ReadonlyMap<number, Write>, sightings: readonly Sighting[]) {
    this.#log = log;
    for (const event of log) {
      const events = this.#byKey.get(event.key);
      if (events) events.push(event);
      else this.#byKey.set(event.key, [event]);
    }
    let earliest = Number.NEGATIVE_INFINITY;
    for (const { revision } of log) {
      earliest = Math.max(earliest, originOf.get(revision)?.began ?? Number.NEGATIVE_INFINITY);
      this.#earliest.push(earliest);
    }
    const seenAt: number[] = log.map(() => Number.POSITIVE_INFINITY);
    for (const { revision, at } of sightings) {
      const place = this.#placeOf(revision);
      if (place >= 0) seenAt[place] = Math.min(seenAt[place]!, at);
    }
    let latest = Number.POSITIVE_INFINITY;
    for (let i = log.length - 1; i >= 0; i--) {
      latest = Math.min(latest, seenAt[i]!);
      this.#latest[i] = latest;
    }
  }

  get keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** The place of the newest event up to a revision; -1 before the first. */
  #placeOf(revision: number): number {
    return placeOf(this.#log, revision);
  }

  #standing(key: string, upTo: number): Seen | undefined {
    const events = this.#byKey.get(key) ?? [];
    const event = events[placeOf(events, upTo)];
    if (event?.value === undefined) return undefined;
    return { value: event.value, createRevision: event.createRevision ?? 0, modRevision: event.revision };
  }

  at(key: string, revision: number): Seen | undefined {
    return this.#standing(key, revision);
  }

  before(key: string, revision: number): Seen | undefined {
    return this.#standing(key, revision - 1);
  }

  /** The key's next revision; undefined when there is none. */
  nextOf(key: string, revision: number): number | undefined {
    const events = this.#byKey.get(key) ?? [];
    return events[placeOf(events, revision) + 1]?.revision;
  }

  revisionAfter(revision: number): number | undefined {
    return this.#log[this.#placeOf(revision) + 1]?.revision;
  }

  /** From which revision to which one nothing stood at a key. */
  absences(key: string): (readonly [from: number | undefined, to: number | undefined])[] {
    const events = this.#byKey.get(key) ?? [];
    const absences = events.flatMap(({ value, revision }, i) =>
      value === undefined ? [[revision, events[i + 1]?.revision] as const] : [],
    );
    return [[undefined, events[0]?.revision], ...absences];
  }

  /** Whether there is a moment from `began` to `ended` at which revision `from` was there and `to` was not. */
  isBetween(began: number, ended: number, from: number | undefined, to: number | undefined): boolean {
    const earliest = from === undefined ? Number.NEGATIVE_INFINITY : (this.#earliest[this.#placeOf(from)] ?? Number.NEGATIVE_INFINITY);
    const latest = to === undefined ? Number.POSITIVE_INFINITY : (this.#latest[this.#placeOf(to)] ?? Number.POSITIVE_INFINITY);
    return Math.max(began, earliest) <= Math.min(ended, latest);
  }

  /** Writes that have an older revision than one that was done before they were asked for. */
  impossible(): string[] {
    return this.#log.flatMap(({ revision, key }, i) =>
      this.#earliest[i]! <= this.#latest[i]!
        ? []
        : [`revision ${revision} (${key}) is older than one that was done before it was asked for`],
    );
  }
}

/** The place of the newest of these events up to a revision; -1 before the first. */
function placeOf(events: readonly WatchedEvent[], revision: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
