import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventWindow } from './event-window.ts';
import type { StoreEvent } from './store.ts';
import { line } from './testing/events.ts';

const bytesOf = (size: number): Uint8Array => new Uint8Array(size).fill(0x78);

function put(revision: number, key = '/a', size = 1, previous = 0): StoreEvent {
  const record = { key, value: bytesOf(size), createRevision: revision, modRevision: revision };
  return {
    kind: 'put',
    revision,
    record,
    previous: previous ? { ...record, value: bytesOf(previous), modRevision: revision - 1 } : undefined,
  };
}

const gone = (revision: number, previous: number): StoreEvent =>
  ({ ...put(revision, '/a', 1, previous), kind: 'delete', key: '/a' }) as StoreEvent;

function windowOf(limits: { maxEvents?: number; maxBytes?: number }, floor = 0): EventWindow {
  return new EventWindow(floor, { maxEvents: limits.maxEvents ?? 1_000_000, maxBytes: limits.maxBytes ?? 1e9 });
}

const all = (
  window: EventWindow,
  from = window.floor + 1,
  to = Number.POSITIVE_INFINITY,
  limit = 1e9,
): ReturnType<EventWindow['collect']> => window.collect('/', '0', from, to, limit);

test('a window begins above its floor, and knows the newest revision', () => {
  const window = windowOf({}, 7);
  assert.deepEqual([window.floor, window.newest], [7, 7]);
  window.push(put(8));
  window.push(put(9));
  assert.deepEqual([window.floor, window.newest, all(window).events.length, all(window).next], [7, 9, 2, 10]);
});

test('a window keeps the newest events, as many as it may', () => {
  const window = windowOf({ maxEvents: 3 });
  for (let i = 1; i <= 5; i++) window.push(put(i));
  assert.deepEqual([window.floor, window.newest], [2, 5]);
  assert.deepEqual(
    all(window).events.map((event) => event.revision),
    [3, 4, 5],
  );
});

test('a window keeps no more bytes than it may: of what is written, of what stood there, and some for each event', () => {
  // Each costs 200 beside its values.
  const full: readonly (readonly StoreEvent[])[] = [
    [put(1, '/a', 300), put(2, '/a', 300)],
    [put(1, '/a', 100, 200), put(2, '/a', 100, 200)],
    [gone(1, 300), gone(2, 300)],
  ];
  for (const [first, second] of full) {
    for (const [maxBytes, floor] of [
      [1_000, 0],
      [999, 1],
    ] as const) {
      const window = windowOf({ maxBytes });
      window.push(first!);
      window.push(second!);
      assert.equal(window.floor, floor, `${first!.kind} in ${maxBytes} bytes`);
    }
  }
});

test('a window gives back the bytes of what it dropped', () => {
  const window = windowOf({ maxBytes: 1_000 });
  for (let i = 1; i <= 100; i++) window.push(put(i, '/a', 300));
  assert.deepEqual([window.floor, window.newest], [98, 100]);
});

test('a window keeps the newest event, however large it is', () => {
  const window = windowOf({ maxBytes: 100 });
  window.push(put(1, '/a', 5_000));
  assert.equal(window.floor, 0);
  window.push(put(2, '/a', 5_000));
  assert.deepEqual([window.floor, all(window).events.length], [1, 1]);
});

test('drop forgets up to a revision, and nothing that is not there', () => {
  const window = windowOf({}, 1);
  for (let i = 2; i <= 4; i++) window.push(put(i));
  window.drop(3);
  assert.deepEqual([window.floor, window.newest], [3, 4]);
  window.drop(2);
  window.drop(99);
  assert.deepEqual([window.floor, window.newest], [4, 4]);
});

test('collect gives the events of a range between two revisions, a page at a time', () => {
  const window = windowOf({});
  for (let i = 1; i <= 6; i++) window.push(put(i, i % 2 ? '/odd' : '/x'));
  const page = (from: number, to: number, limit: number): unknown => {
    const { events, next } = window.collect('/o', '/p', from, to, limit);
    return [events.map((event) => line(event)), next];
  };
  assert.deepEqual(page(1, 99, 9), [['1 put /odd=x', '3 put /odd=x', '5 put /odd=x'], 7]);
  assert.deepEqual(page(2, 4, 9), [['3 put /odd=x'], 5]);
  assert.deepEqual(page(1, 99, 2), [['1 put /odd=x', '3 put /odd=x'], 4]);
  assert.deepEqual(page(7, 99, 9), [[], 7]);
});

test('a window that has dropped many events still finds each by its revision', () => {
  const window = windowOf({ maxEvents: 50 });
  for (let i = 1; i <= 1_000; i++) window.push(put(i, `/${i}`));
  assert.deepEqual(
    all(window).events.map((event) => event.revision),
    Array.from({ length: 50 }, (_, i) => 951 + i),
  );
});
