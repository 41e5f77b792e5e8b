/**
 * Which replicas have what a primary has written, by what it says of them (ROLE). Pure. Sentinel may make any replica the primary that is attached to it, and
 * compares them by words that are up to five seconds old: so a write counts when all of them have it.
 */

/** A replica of the in-sync set. */
interface Replica {
  readonly address: string;
  /** How far it has come, as it said last. */
  readonly offset: number;
}

/** What a primary says of itself. */
export interface Standing {
  /** How far it has come itself: bytes that it has written for its replicas. */
  readonly offset: number;
  /** The in-sync set. One that is attached and has said nothing yet still loads its first data, which may take minutes: it is not one of them. */
  readonly replicas: readonly Replica[];
}

/** Of the answer to ROLE; undefined when it is no primary's. */
export function standingOf(role: unknown): Standing | undefined {
  const [name, offset, replicas] = role as [string, number, readonly (readonly [host: string, port: string, offset: string])[]];
  if (name !== 'master') return undefined;
  const each = replicas.map(([host, port, acknowledged]) => ({ address: `${host}:${port}`, offset: Number(acknowledged) }));
  return { offset: Number(offset), replicas: each.filter((replica) => replica.offset > 0) };
}

/**
 * What is missing before that may be acknowledged which was written before `before`; `after` is how it stood a moment later. A replica that left between them
 * may have been cut off together with the primary, or be the new one: what is said then of the others may be older than that, so they are asked anew.
 */
export function shortfall(before: Standing, after: Standing, wanted: number): string | undefined {
  const needed = Math.max(wanted, after.replicas.length);
  const confirmed = after.replicas.filter(({ offset }) => offset >= before.offset).length;
  if (confirmed < needed) return `${confirmed} of ${needed} replicas confirmed it`;
  const left = before.replicas.find(({ address }) => after.replicas.every((replica) => replica.address !== address));
  return left && `the replica ${left.address} left meanwhile`;
}
