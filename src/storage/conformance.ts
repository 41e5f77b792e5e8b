/** What every backend does, as tests. A backend's test file calls `testStore` with a way to open an empty store. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '../clock/clock.ts';
import { isKnownError } from '../errors/known-error.ts';
import { prefixEnd, type Store, type StoreEvent } from './store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const deadlineMs = 10_000;

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value && decoder.decode(value);
}

/** The events of a watch until there are `count` of them; fails when they do not come. */
export async function take(store: Store, start: string, end: string, from: number, count: number): Promise<StoreEvent[]> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), deadlineMs);
  const seen: StoreEvent[] = [];
  try {
    for await (const batch of store.watch(start, end, from, stop.signal)) {
      seen.push(...batch);
      if (seen.length >= count) break;
    }
  } finally {
    clearTimeout(timer);
  }
  assert.equal(seen.length, count, `events: ${seen.map(line).join(', ')}`);
  return seen;
}

/** An event in one line: `3 put /a=x was w`. */
export function line(event: StoreEvent): string {
  const was = event.previous ? ` was ${text(event.previous.value)}@${event.previous.modRevision}` : '';
  if (event.kind === 'delete') return `${event.revision} delete ${event.key}${was}`;
  return `${event.revision} put ${event.record.key}=${text(event.record.value)}${was}`;
}

/** Runs the suite. `open` gives an empty store that uses the clock; the suite closes it. */
export function testStore(name: string, open: (clock: FakeClock) => Promise<Store>): void {
  function on(what: string, fn: (store: Store, clock: FakeClock) => Promise<void>): void {
    it(what, async () => {
      const clock = new FakeClock();
      await using store = await open(clock);
      await fn(store, clock);
    });
  }

  describe(`${name}: records`, () => {
    on('put gives each write the next revision', async (store) => {
      assert.equal(await store.revision(), 0);
      const first = await store.put('/a', bytes('1'));
      const second = await store.put('/a', bytes('2'));
      const other = await store.put('/b', bytes('3'));
      assert.ok(first.ok && second.ok && other.ok);
      assert.deepEqual([first.record.createRevision, first.record.modRevision], [1, 1]);
      assert.deepEqual([second.record.createRevision, second.record.modRevision], [1, 2]);
      assert.deepEqual([other.record.createRevision, other.record.modRevision], [3, 3]);
      assert.equal(await store.revision(), 3);
      assert.equal(text((await store.get('/a'))?.value), '2');
      assert.equal(await store.get('/c'), undefined);
    });

    on('put with ifRevision 0 refuses a key that exists and says what stands there', async (store) => {
      await store.put('/a', bytes('1'), { ifRevision: 0 });
      const again = await store.put('/a', bytes('2'), { ifRevision: 0 });
      assert.equal(again.ok, false);
      assert.equal(text(!again.ok ? again.current?.value : undefined), '1');
      assert.equal(await store.revision(), 1);
    });

    on('put with ifRevision writes only over that revision', async (store) => {
      await store.put('/a', bytes('1'));
      assert.equal((await store.put('/a', bytes('2'), { ifRevision: 1 })).ok, true);
      const stale = await store.put('/a', bytes('3'), { ifRevision: 1 });
      assert.ok(!stale.ok);
      assert.equal(stale.current?.modRevision, 2);
      const absent = await store.put('/b', bytes('3'), { ifRevision: 1 });
      assert.deepEqual(absent, { ok: false, current: undefined });
    });

    on('of many concurrent writers over one revision exactly one wins', async (store) => {
      await store.put('/a', bytes('0'));
      const results = await Promise.all(Array.from({ length: 50 }, (_, i) => store.put('/a', bytes(`${i}`), { ifRevision: 1 })));
      assert.equal(results.filter((result) => result.ok).length, 1);
      assert.equal(await store.revision(), 2);
    });

    on('delete removes, and its revision counts', async (store) => {
      await store.put('/a', bytes('1'));
      const stale = await store.delete('/a', { ifRevision: 7 });
      assert.ok(!stale.ok && stale.current?.modRevision === 1);
      const gone = await store.delete('/a', { ifRevision: 1 });
      assert.ok(gone.ok);
      assert.equal(text(gone.record.value), '1');
      assert.deepEqual([gone.record.createRevision, gone.record.modRevision], [1, 2]);
      assert.equal(await store.get('/a'), undefined);
      assert.deepEqual(await store.delete('/a'), { ok: false, current: undefined });
      const born = await store.put('/a', bytes('2'), { ifRevision: 0 });
      assert.ok(born.ok && born.record.createRevision === 3);
    });

    on('range gives the keys of a prefix in order, cut by limit', async (store) => {
      for (const key of ['/b/2', '/a/1', '/b/1', '/c/1', '/b/10', '/b']) await store.put(key, bytes(key));
      const all = await store.range('/b/', prefixEnd('/b/'));
      assert.deepEqual(
        all.records.map((record) => record.key),
        ['/b/1', '/b/10', '/b/2'],
      );
      assert.deepEqual([all.more, all.count, all.revision], [false, 3, 6]);
      const cut = await store.range('/b/', prefixEnd('/b/'), { limit: 2 });
      assert.deepEqual(
        cut.records.map((record) => text(record.value)),
        ['/b/1', '/b/10'],
      );
      assert.deepEqual([cut.more, cut.count], [true, 3]);
      const rest = await store.range(`${cut.records[1]!.key}\0`, prefixEnd('/b/'), { limit: 2 });
      assert.deepEqual([rest.records.length, rest.more, rest.count], [1, false, 1]);
      assert.deepEqual(await store.range('/x', '/y'), { records: [], revision: 6, more: false, count: 0 });
      assert.deepEqual(await store.range('/y', '/a'), { records: [], revision: 6, more: false, count: 0 });
    });

    on('keys are ordered by their UTF-8 bytes', async (store) => {
      const keys = ['/a', '/z', '/é', '/\u{ffee}', '/\u{1f600}'];
      for (const key of keys.toReversed()) await store.put(key, bytes(key));
      const { records } = await store.range('/', '0');
      assert.deepEqual(
        records.map((record) => record.key),
        keys,
      );
    });

    on('values may be empty, large and hold any byte', async (store) => {
      const large = new Uint8Array(1_500_000).map((_, i) => i % 256);
      await store.put('/empty', new Uint8Array(0));
      await store.put('/large', large);
      assert.deepEqual(new Uint8Array((await store.get('/empty'))!.value), new Uint8Array(0));
      assert.ok(Buffer.from(large).equals((await store.get('/large'))!.value));
    });
  });

  describe(`${name}: time to live`, () => {
    on('a record deletes itself and an event says so', async (store, clock) => {
      await store.put('/t', bytes('x'), { ttlSeconds: 10 });
      await store.put('/keep', bytes('y'));
      await clock.advance(9_000);
      assert.ok(await store.get('/t'));
      const gone = take(store, '/t', '/u', 3, 1);
      await clock.advance(1_500);
      assert.deepEqual((await gone).map(line), ['3 delete /t was x@1']);
      assert.equal(await store.get('/t'), undefined);
      assert.ok(await store.get('/keep'));
    });

    on('a later put renews the time, or keeps the record for good', async (store, clock) => {
      await store.put('/renewed', bytes('x'), { ttlSeconds: 10 });
      await store.put('/kept', bytes('x'), { ttlSeconds: 10 });
      await clock.advance(5_000);
      await store.put('/renewed', bytes('y'), { ttlSeconds: 10 });
      await store.put('/kept', bytes('y'));
      await clock.advance(6_000);
      await store.put('/mark', bytes(''));
      assert.ok(await store.get('/renewed'));
      const gone = take(store, '/', '0', 6, 1);
      await clock.advance(5_000);
      assert.deepEqual((await gone).map(line), ['6 delete /renewed was y@3']);
      assert.ok(await store.get('/kept'));
    });
  });

  describe(`${name}: watch`, () => {
    on('watch from the past gives past events, then those that come, each once and in order', async (store) => {
      await store.put('/w/a', bytes('1'));
      await store.put('/x', bytes('-'));
      await store.put('/w/a', bytes('2'));
      const seen = take(store, '/w/', prefixEnd('/w/'), 1, 4);
      await store.delete('/w/a');
      await store.put('/w/b', bytes('3'));
      assert.deepEqual((await seen).map(line), ['1 put /w/a=1', '3 put /w/a=2 was 1@1', '4 delete /w/a was 2@3', '5 put /w/b=3']);
    });

    on('watch from a revision leaves out what was before it, also in the future', async (store) => {
      for (let i = 1; i <= 3; i++) await store.put('/a', bytes(`${i}`));
      const seen = take(store, '/', '0', 5, 2);
      for (let i = 4; i <= 6; i++) await store.put('/a', bytes(`${i}`));
      assert.deepEqual((await seen).map(line), ['5 put /a=5 was 4@4', '6 put /a=6 was 5@5']);
    });

    on('range and watch from revision + 1 together miss nothing while writers write', async (store) => {
      const writers = Promise.all(
        Array.from({ length: 8 }, async (_, w) => {
          for (let i = 0; i < 40; i++) await store.put(`/r/${w}-${i}`, bytes(`${i}`));
        }),
      );
      await store.put('/r/mark', bytes(''));
      const { records, revision, count } = await store.range('/r/', prefixEnd('/r/'));
      assert.equal(records.length, count);
      const rest = await take(store, '/r/', prefixEnd('/r/'), revision + 1, 321 - count);
      await writers;
      assert.ok(rest.every((event, i) => event.revision === revision + 1 + i));
      assert.equal(new Set([...records.map((r) => r.key), ...rest.map((e) => (e.kind === 'put' ? e.record.key : e.key))]).size, 321);
    });

    on('a slow watcher misses nothing', async (store) => {
      const stop = new AbortController();
      const watch = store.watch('/', '0', 1, stop.signal)[Symbol.asyncIterator]();
      await store.put('/a', bytes('0'));
      const first = await watch.next();
      for (let i = 1; i < 300; i++) await store.put('/a', bytes(`${i}`));
      const seen = [...(first.value as StoreEvent[])];
      while (seen.length < 300) seen.push(...((await watch.next()).value as StoreEvent[]));
      assert.ok(seen.every((event, i) => event.revision === i + 1 && event.kind === 'put' && text(event.record.value) === `${i}`));
      stop.abort();
    });

    on('watch ends when its signal aborts', async (store) => {
      const stop = new AbortController();
      const watch = store.watch('/', '0', 1, stop.signal)[Symbol.asyncIterator]();
      const next = watch.next();
      stop.abort();
      assert.equal((await next).done, true);
    });

    on('watch ends when the store closes', async (store) => {
      const next = store.watch('/', '0', 1, new AbortController().signal)[Symbol.asyncIterator]().next();
      await store.close();
      assert.equal((await next).done, true);
    });

    on('recent gives the newest events of a range, and says from where on it has them all', async (store) => {
      assert.deepEqual(await store.recent('/w/', prefixEnd('/w/'), 2), { events: [], floor: 0 });
      await store.put('/w/a', bytes('1'));
      await store.put('/w/a', bytes('2'));
      await store.put('/x', bytes('-'));
      await store.delete('/w/a');
      const all = await store.recent('/w/', prefixEnd('/w/'), 3);
      assert.deepEqual([all.events.map(line), all.floor], [['1 put /w/a=1', '2 put /w/a=2 was 1@1', '4 delete /w/a was 2@2'], 0]);
      const two = await store.recent('/w/', prefixEnd('/w/'), 2);
      assert.deepEqual([two.events.map(line), two.floor], [['2 put /w/a=2 was 1@1', '4 delete /w/a was 2@2'], 1]);
      await store.compact(2);
      const later = await store.recent('/w/', prefixEnd('/w/'), 3);
      assert.deepEqual([later.events.map(line), later.floor], [['4 delete /w/a was 2@2'], 2]);
    });

    on('compact forgets events, not records', async (store) => {
      for (let i = 1; i <= 5; i++) await store.put('/a', bytes(`${i}`));
      await store.compact(3);
      await assert.rejects(take(store, '/', '0', 3, 1), (err) => isKnownError(err, 'STORE_COMPACTED'));
      assert.deepEqual((await take(store, '/', '0', 4, 2)).map(line), ['4 put /a=4 was 3@3', '5 put /a=5 was 4@4']);
      assert.equal(text((await store.get('/a'))?.value), '5');
      await store.compact(1);
      await store.compact(99);
      await assert.rejects(take(store, '/', '0', 5, 1), (err) => isKnownError(err, 'STORE_COMPACTED'));
      const next = take(store, '/', '0', 6, 1);
      await store.put('/b', bytes('6'));
      assert.deepEqual((await next).map(line), ['6 put /b=6']);
    });
  });

  describe(`${name}: after close`, () => {
    on('every call says STORE_CLOSED, and a second close is fine', async (store) => {
      await store.close();
      const closed = (err: unknown): boolean => isKnownError(err, 'STORE_CLOSED');
      await assert.rejects(store.get('/a'), closed);
      await assert.rejects(store.range('/', '0'), closed);
      await assert.rejects(store.put('/a', bytes('1')), closed);
      await assert.rejects(store.delete('/a'), closed);
      await assert.rejects(store.compact(1), closed);
      await assert.rejects(store.recent('/', '0', 1), closed);
      await assert.rejects(store.revision(), closed);
    });
  });
}
