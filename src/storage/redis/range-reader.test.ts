import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StoredRecord, StoreEvent } from '../store.ts';
import { bytes } from '../testing/events.ts';
import { type EventsBetween, readRange, type Slice } from './range-reader.ts';

function record(key: string, modRevision: number): StoredRecord {
  return { key, value: bytes(''), createRevision: 1, modRevision };
}

function slice(revision: number, count: number, ...records: StoredRecord[]): Slice {
  return { revision, id: Buffer.alloc(12), count, records };
}

function put(key: string, revision: number): StoreEvent {
  return { kind: 'put', revision, record: record(key, revision), previous: undefined };
}

function gone(key: string, revision: number): StoreEvent {
  return { kind: 'delete', revision, key, previous: undefined };
}

/** Reads these slices, one after the other; notes from where. */
async function read(slices: readonly Slice[], events: readonly StoreEvent[] | undefined, limit = 1_000_000): Promise<unknown> {
  const left = [...slices];
  const asked: string[] = [];
  const between: EventsBetween = async (start, end, after, to) => {
    asked.push(`events of ${start}..${end} in ${after}..${to}`);
    return events;
  };
  const next = async (start: string, _end: string, most: number): Promise<Slice> => {
    asked.push(`${start.replace('\0', '+')} ${most}`);
    return left.shift()!;
  };
  const { records, revision, more, count } = await readRange(next, between, '/a', '/z', limit);
  return { keys: records.map((one) => `${one.key}@${one.modRevision}`), revision, more, count, asked };
}

describe('readRange()', () => {
  test('is one call where one is enough', async () => {
    assert.deepEqual(await read([slice(7, 2, record('/a', 3), record('/b', 7))], undefined), {
      keys: ['/a@3', '/b@7'],
      revision: 7,
      more: false,
      count: 2,
      asked: ['/a 1000'],
    });
  });

  test('needs no events where nothing was written meanwhile', async () => {
    const slices = [slice(7, 3, record('/a', 3), record('/b', 7)), slice(7, 1, record('/c', 1))];
    assert.deepEqual(await read(slices, undefined), {
      keys: ['/a@3', '/b@7', '/c@1'],
      revision: 7,
      more: false,
      count: 3,
      asked: ['/a 1000', '/b+ 1000'],
    });
  });

  test('takes what was written between the slices from the events', async () => {
    const slices = [slice(7, 4, record('/a', 3), record('/b', 7)), slice(12, 2, record('/c', 1), record('/d', 9))];
    const events = [put('/b', 8), put('/d', 9), gone('/a', 10), put('/aa', 11), put('/e', 11), gone('/e', 12)];
    assert.deepEqual(await read(slices, events), {
      keys: ['/aa@11', '/b@8', '/c@1', '/d@9'],
      revision: 12,
      more: false,
      count: 4,
      asked: ['/a 1000', '/b+ 1000', 'events of /a../z in 7..12'],
    });
  });

  test('corrects nothing behind the record at which the limit cuts', async () => {
    const slices = [slice(7, 9, record('/a', 3)), slice(8, 8, record('/b', 7))];
    assert.deepEqual(await read(slices, [gone('/a', 8)], 2), {
      keys: ['/b@7'],
      revision: 8,
      more: true,
      count: 8,
      asked: ['/a 2', '/a+ 1', 'events of /a../b\0 in 7..8'],
    });
  });

  test('begins anew when the events are gone, and at last reads all at once', async () => {
    const pair = [slice(7, 2, record('/a', 3)), slice(8, 1, record('/b', 8))];
    const result = (await read([...pair, ...pair, ...pair, slice(9, 1, record('/a', 3))], undefined)) as {
      keys: string[];
      revision: number;
    };
    assert.deepEqual([result.keys, result.revision], [['/a@3'], 9]);
  });
});
