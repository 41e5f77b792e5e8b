/**
 * Reads a range in slices, so that a long one does not keep Redis from others, and makes one moment of them: what was written while it
 * was read is taken from the events.
 */
import { compareKeys } from '../key-order.ts';
import { eventKey, type RangeResult, type StoredRecord, type StoreEvent } from '../store.ts';
import { decodeRecord, type KnownWrite } from './record.ts';
import type { Session } from './session.ts';

/** Records that one call reads at most, and bytes of them. */
const sliceRecords = 1_000;
const sliceBytes = 4 << 20;
/** How often a range is read anew when its events are gone before it is read to the end. */
const attempts = 3;

/** One slice: what is there at a revision. */
export interface Slice extends KnownWrite {
  readonly records: readonly StoredRecord[];
  /** Records of the range from the start of the slice on. */
  readonly count: number;
}

/** Every event of a range after one revision and up to another; undefined when they are not all there any more. */
export type EventsBetween = (start: string, end: string, after: number, to: number) => Promise<readonly StoreEvent[] | undefined>;

/** Reads a range of any length. */
export async function readRange(
  read: (start: string, end: string, limit: number, bytes: number) => Promise<Slice>,
  eventsBetween: EventsBetween,
  start: string,
  end: string,
  limit: number,
): Promise<RangeResult> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const slices: Slice[] = [];
    let length = 0;
    for (let from = start; ; from = `${slices.at(-1)!.records.at(-1)!.key}\0`) {
      const slice = await read(from, end, Math.min(sliceRecords, limit - length), sliceBytes);
      slices.push(slice);
      length += slice.records.length;
      if (slice.records.length === slice.count || length >= limit || slice.records.length === 0) break;
    }
    const whole = await oneMoment(slices, eventsBetween, start, end);
    if (whole) return whole;
  }
  const { records, revision, count } = await read(start, end, Math.min(limit, 2 ** 31), 2 ** 52);
  return { records, revision, count, more: records.length < count };
}

async function oneMoment(
  slices: readonly Slice[],
  eventsBetween: EventsBetween,
  start: string,
  end: string,
): Promise<RangeResult | undefined> {
  const [first, last] = [slices[0]!, slices.at(-1)!];
  const records = slices.length === 1 ? last.records : slices.flatMap((slice) => slice.records);
  const behind = last.count - last.records.length;
  const { revision } = last;
  if (first.revision === revision) return { records, revision, more: behind > 0, count: records.length + behind };
  // Behind the last record there is nothing to correct: that part was counted at the last revision.
  const edge = behind > 0 ? `${records.at(-1)!.key}\0` : end;
  const events = await eventsBetween(start, edge, first.revision, revision);
  if (!events) return undefined;
  const corrected = correct(records, events);
  return { records: corrected, revision, more: behind > 0, count: corrected.length + behind };
}

/** Records that were read at several moments, as they are after the events since the first of these. */
export function correct(records: readonly StoredRecord[], events: readonly StoreEvent[]): readonly StoredRecord[] {
  if (events.length === 0) return records;
  const byKey = new Map(records.map((record) => [record.key, record]));
  for (const event of events) {
    const key = eventKey(event);
    if ((byKey.get(key)?.modRevision ?? 0) >= event.revision) continue;
    if (event.kind === 'put') byKey.set(key, event.record);
    else byKey.delete(key);
  }
  return [...byKey.values()].toSorted((a, b) => compareKeys(a.key, b.key));
}

/** One call of the function `range`. */
export async function readSlice(session: Session, start: string, end: string, limit: number, bytes: number): Promise<Slice> {
  const reply = await session.read('range', [start, end, String(limit), String(bytes)]);
  await session.confirm();
  const [revision, id, count, ...flat] = reply as [number, Buffer, number, ...Buffer[]];
  const records: StoredRecord[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) records.push(decodeRecord(flat[i]!.toString(), flat[i + 1]!));
  return { revision, id, count, records };
}
