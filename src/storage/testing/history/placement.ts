/** Which write made which event. */
import type { WatchedEvent, Write } from './history.ts';

export class Placement {
  /** The write behind an event, by the event's revision. */
  readonly originOf: ReadonlyMap<number, Write>;
  /** Writes that are lost or done twice, and events that nobody wrote. */
  readonly wrong: readonly string[];

  private constructor(originOf: ReadonlyMap<number, Write>, wrong: readonly string[]) {
    this.originOf = originOf;
    this.wrong = wrong;
  }

  static of(log: readonly WatchedEvent[], writes: readonly Write[]): Placement {
    const acknowledged = new Map(
      writes.flatMap((write) => (write.outcome.is === 'done' ? [[write.outcome.revision, write] as const] : [])),
    );
    const unknown = new Set(writes.filter(({ outcome }) => outcome.is === 'unknown'));
    const originOf = new Map<number, Write>();
    const wrong: string[] = [];
    for (const event of log) {
      const origin = acknowledged.get(event.revision) ?? [...unknown].find((write) => mayHaveMade(write, event));
      if (!origin || origin.key !== event.key || origin.value !== event.value) {
        wrong.push(
          `revision ${event.revision} is ${event.value ?? 'a delete'} at ${event.key}, which nobody wrote${origin ? ' there' : ''}`,
        );
        continue;
      }
      // Done once: another event of the same write finds nobody.
      unknown.delete(origin);
      originOf.set(event.revision, origin);
    }
    for (const [revision, { key, value }] of acknowledged)
      if (!originOf.has(revision)) wrong.push(`${key}: ${value ?? 'a delete'} was acknowledged at revision ${revision}, and is lost`);
    return new Placement(originOf, wrong);
  }
}

function mayHaveMade({ key, value, ifRevision }: Write, event: WatchedEvent): boolean {
  return key === event.key && value === event.value && (ifRevision === undefined || ifRevision === (event.previous?.modRevision ?? 0));
}
