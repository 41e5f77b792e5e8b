/**
 * What every backend does, as tests. A backend's test file calls `testStore` with a way to open an empty store. Revisions are counted from
 * the one that the empty store has, and time passes as the engine lets it: a fake clock's, or a server's own.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { Compacted, type NewRecord, prefixEnd, type Store, type StoredRecord, type StoreEvent, type WriteResult } from '../store.ts';
import { bytes, line, take, text } from './events.ts';
import { severalAtOnce } from './several.ts';
import { type On, type OpenEngine, Subject } from './subject.ts';

/** How the suite meets a backend. */
export interface Engine {
  /** A store without records. The suite closes it. */
  open(): Promise<OpenEngine>;
  /** The time to live that the suite gives to records; an engine that really waits takes less than the 10 seconds of a fake clock. */
  readonly ttlSeconds?: number;
}

/** An engine whose clock is given to it. */
export function onFakeClock(open: (clock: FakeClock) => Promise<Store>): Engine {
  return {
    async open() {
      const clock = new FakeClock();
      return { store: await open(clock), pass: (seconds) => clock.advance(seconds * 1_000) };
    },
  };
}

export function testStore(name: string, engine: Engine): void {
  const on: On = (what, fn) => {
    test(what, async () => {
      const opened = await engine.open();
      await using store = opened.store;
      await fn(new Subject(opened, engine.ttlSeconds ?? 10, await store.revision()));
    });
  };
  describe(`${name}: writes`, () => writes(on));
  describe(`${name}: several records in one commit`, () => severalAtOnce(on));
  describe(`${name}: ranges`, () => ranges(on));
  describe(`${name}: time to live`, () => timeToLive(on));
  describe(`${name}: watch`, () => watches(on));
  describe(`${name}: the past`, () => past(on));
  describe(`${name}: the end`, () => ending(on));
  describe(`${name}: many at once`, () => many(on));
}

function writes(on: On): void {
  on('put gives each write the next revision', async (subject) => {
    const results = [await subject.put('/a', '1'), await subject.put('/a', '2'), await subject.put('/b', '3')];
    assert.deepEqual(
      results.map((result) => subject.revisionsOf(result)),
      [
        [1, 1],
        [1, 2],
        [3, 3],
      ],
    );
    assert.equal(await subject.revision(), 3);
    assert.equal(await subject.get('/a'), '2');
    assert.equal(await subject.store.get('/c'), undefined);
  });

  on('put with ifRevision 0 refuses a key that exists and says what stands there', async (subject) => {
    await subject.put('/a', '1', 0);
    const again = await subject.put('/a', '2', 0);
    assert.equal(again.ok, false);
    assert.equal(text(!again.ok ? again.current?.value : undefined), '1');
    assert.equal(await subject.revision(), 1);
  });

  on('put with ifRevision writes only over that revision', async (subject) => {
    await subject.put('/a', '1');
    assert.equal((await subject.put('/a', '2', subject.at(1))).ok, true);
    const stale = await subject.put('/a', '3', subject.at(1));
    assert.ok(!stale.ok);
    assert.equal(stale.current?.modRevision, subject.at(2));
    assert.deepEqual(await subject.put('/b', '3', subject.at(1)), { ok: false, current: undefined });
  });

  on('of many concurrent writers over one revision exactly one wins', async (subject) => {
    await subject.put('/a', '0');
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => subject.put('/a', `${i}`, subject.at(1))));
    assert.equal(results.filter((result) => result.ok).length, 1);
    assert.equal(await subject.revision(), 2);
  });

  on('delete removes, and its revision counts', async (subject) => {
    const { store } = subject;
    await subject.put('/a', '1');
    const stale = await store.delete('/a', { ifRevision: subject.at(7) });
    assert.ok(!stale.ok && stale.current?.modRevision === subject.at(1));
    const gone = await store.delete('/a', { ifRevision: subject.at(1) });
    assert.deepEqual(subject.revisionsOf(gone), [1, 2]);
    assert.ok(gone.ok && text(gone.record.value) === '1');
    assert.equal(await store.get('/a'), undefined);
    assert.deepEqual(await store.delete('/a'), { ok: false, current: undefined });
    assert.deepEqual(subject.revisionsOf(await subject.put('/a', '2', 0)), [3, 3]);
  });

  on('values may be empty, large and hold any byte', async ({ store }) => {
    const large = new Uint8Array(1_500_000).map((_, i) => i % 256);
    await store.put('/empty', new Uint8Array(0));
    await store.put('/large', large);
    assert.deepEqual(new Uint8Array((await store.get('/empty'))!.value), new Uint8Array(0));
    assert.ok(Buffer.from(large).equals((await store.get('/large'))!.value));
  });
}

function ranges(on: On): void {
  const keysOf = ({ records }: Awaited<ReturnType<Store['range']>>): string[] => records.map((record) => record.key);

  on('range gives the keys of a prefix in order, cut by limit', async (subject) => {
    const { store } = subject;
    for (const key of ['/b/2', '/a/1', '/b/1', '/c/1', '/b/10', '/b']) await subject.put(key, key);
    const all = await store.range('/b/', prefixEnd('/b/'));
    assert.deepEqual(keysOf(all), ['/b/1', '/b/10', '/b/2']);
    assert.deepEqual([all.more, all.count, all.revision], [false, 3, subject.at(6)]);
    const cut = await store.range('/b/', prefixEnd('/b/'), { limit: 2 });
    assert.deepEqual(
      cut.records.map((record) => text(record.value)),
      ['/b/1', '/b/10'],
    );
    assert.deepEqual([cut.more, cut.count], [true, 3]);
    const rest = await store.range(`${cut.records[1]!.key}\0`, prefixEnd('/b/'), { limit: 2 });
    assert.deepEqual([keysOf(rest), rest.more, rest.count], [['/b/2'], false, 1]);
    const none = { records: [], revision: subject.at(6), more: false, count: 0 };
    assert.deepEqual(await store.range('/x', '/y'), none);
    assert.deepEqual(await store.range('/y', '/a'), none);
  });

  on('range takes its start in and leaves its end out, also after deletions', async (subject) => {
    const { store } = subject;
    for (const key of ['/a', '/b', '/c', '/d', '/e']) await subject.put(key, key);
    assert.deepEqual(keysOf(await store.range('/b', '/d')), ['/b', '/c']);
    await store.delete('/c');
    assert.deepEqual(keysOf(await store.range('/b', '/e')), ['/b', '/d']);
    await subject.put('/c', 'again');
    await store.delete('/a');
    assert.deepEqual(keysOf(await store.range('/', '0')), ['/b', '/c', '/d', '/e']);
  });

  on('keys are ordered by their UTF-8 bytes', async (subject) => {
    const keys = ['/a', '/z', '/é', '/\u{ffee}', '/\u{1f600}'];
    for (const key of keys.toReversed()) await subject.put(key, key);
    assert.deepEqual(keysOf(await subject.store.range('/', '0')), keys);
  });
}

function timeToLive(on: On): void {
  on('a record deletes itself and an event says so', async (subject) => {
    await subject.putForATime('/t', 'x');
    await subject.put('/keep', 'y');
    await subject.pass(subject.ttlSeconds * 0.9);
    assert.equal(await subject.get('/t'), 'x');
    const gone = subject.take('/t', 3, 1);
    await subject.pass(subject.ttlSeconds * 0.15);
    assert.deepEqual(await gone, ['3 delete /t was x@1']);
    assert.equal(await subject.get('/t'), undefined);
    assert.equal(await subject.get('/keep'), 'y');
  });

  on('a later put renews the time, or keeps the record for good', async (subject) => {
    const half = subject.ttlSeconds / 2;
    await subject.putForATime('/renewed', 'x');
    await subject.putForATime('/kept', 'x');
    await subject.pass(half);
    await subject.putForATime('/renewed', 'y');
    await subject.put('/kept', 'y');
    await subject.pass(half * 1.2);
    await subject.put('/mark', '');
    assert.equal(await subject.get('/renewed'), 'y');
    const gone = subject.take('/', 6, 1);
    await subject.pass(half);
    assert.deepEqual(await gone, ['6 delete /renewed was y@3']);
    assert.equal(await subject.get('/kept'), 'y');
  });
}

function watches(on: On): void {
  on('watch from the past gives past events, then those that come, each once and in order', async (subject) => {
    await subject.put('/w/a', '1');
    await subject.put('/x', '-');
    await subject.put('/w/a', '2');
    const seen = subject.take('/w/', 1, 4);
    await subject.store.delete('/w/a');
    await subject.put('/w/b', '3');
    assert.deepEqual(await seen, ['1 put /w/a=1', '3 put /w/a=2 was 1@1', '4 delete /w/a was 2@3', '5 put /w/b=3']);
  });

  on('watch from a revision leaves out what was before it, also in the future', async (subject) => {
    for (let i = 1; i <= 3; i++) await subject.put('/a', `${i}`);
    const seen = subject.take('/', 5, 2);
    for (let i = 4; i <= 6; i++) await subject.put('/a', `${i}`);
    assert.deepEqual(await seen, ['5 put /a=5 was 4@4', '6 put /a=6 was 5@5']);
  });

  on('range and watch from revision + 1 together miss nothing while writers write', async ({ store }) => {
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

  on('a slow watcher misses nothing', async (subject) => {
    const stop = new AbortController();
    const watch = subject.store.watch('/', '0', subject.at(1), stop)[Symbol.asyncIterator]();
    await subject.put('/a', '0');
    const first = await watch.next();
    for (let i = 1; i < 300; i++) await subject.put('/a', `${i}`);
    const seen = [...(first.value as StoreEvent[])];
    while (seen.length < 300) seen.push(...((await watch.next()).value as StoreEvent[]));
    assert.ok(
      seen.every((event, i) => event.revision === subject.at(i + 1) && event.kind === 'put' && text(event.record.value) === `${i}`),
    );
    stop.abort();
  });
}

function past(on: On): void {
  const until = async (subject: Subject, prefix: string, from: number, to: number): Promise<string[]> => {
    const seen: StoreEvent[] = [];
    const options = { signal: AbortSignal.timeout(90_000), until: subject.at(to) };
    for await (const batch of subject.store.watch(prefix, prefixEnd(prefix), subject.at(from), options)) seen.push(...batch);
    assert.ok(!options.signal.aborted, 'the watch ends by itself');
    return seen.map((event) => line(event, subject.at(0)));
  };

  on('watch ends by itself at the revision that it is given, be there events or not', async (subject) => {
    await subject.put('/w/a', '1');
    await subject.put('/w/a', '2');
    await subject.put('/x', '-');
    await subject.store.delete('/w/a');
    assert.deepEqual(await until(subject, '/w/', 1, 2), ['1 put /w/a=1', '2 put /w/a=2 was 1@1']);
    assert.deepEqual(await until(subject, '/w/', 2, 4), ['2 put /w/a=2 was 1@1', '4 delete /w/a was 2@2']);
    assert.deepEqual(await until(subject, '/w/', 3, 3), []);
    assert.deepEqual(await until(subject, '/w/', 5, 4), []);
    const coming = until(subject, '/w/', 1, 6);
    for (const key of ['/x', '/x', '/w/late']) await subject.put(key, '3');
    assert.deepEqual(await coming, ['1 put /w/a=1', '2 put /w/a=2 was 1@1', '4 delete /w/a was 2@2']);
  });

  on('compact forgets events, not records, and says how far', async (subject) => {
    const { store } = subject;
    const compactedTo = (revision: number) => (err: unknown) =>
      isKnownError(err, 'STORE_COMPACTED') && err instanceof Compacted && err.floor === subject.at(revision);
    for (let i = 1; i <= 5; i++) await subject.put('/a', `${i}`);
    await store.compact(subject.at(3));
    await assert.rejects(subject.take('/', 3, 1), compactedTo(3));
    assert.deepEqual(await subject.take('/', 4, 2), ['4 put /a=4 was 3@3', '5 put /a=5 was 4@4']);
    assert.equal(await subject.get('/a'), '5');
    await store.compact(subject.at(1));
    await store.compact(subject.at(99));
    await assert.rejects(subject.take('/', 5, 1), compactedTo(5));
    const next = subject.take('/', 6, 1);
    await subject.put('/b', '6');
    assert.deepEqual(await next, ['6 put /b=6']);
  });
}

/** An engine may be too late with an answer on a machine with much else to do. Asked again over the same revision a write cannot come twice. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    try {
      return await ask();
    } catch (err) {
      if (left === 0 || !isKnownError(err, 'STORE_UNAVAILABLE')) throw err;
    }
  }
}

function many(on: On): void {
  on('of 10,000 writes over the revisions that they know each one is answered rightly', async (subject) => {
    const { store } = subject;
    const keys = Array.from({ length: 100 }, (_, i) => `/cas/${i}`);
    for (const key of keys) await answered(() => subject.put(key, 'born', 0));
    const { records } = await answered(() => store.range('/cas/', prefixEnd('/cas/')));
    const known = new Map(records.map(({ key, modRevision }) => [key, modRevision]));
    // Two hundred at a time, over two keys: for all of them at once a machine that others use needs longer than an engine waits for one answer.
    const keyOf = (i: number): string => keys[Math.floor(i / 100)]!;
    const lane = async (first: number): Promise<{ i: number; result: WriteResult }[]> => {
      const results = [];
      for (let i = first; i < 10_000; i += 200)
        results.push({ i, result: await answered(() => subject.put(keyOf(i), `${i}`, known.get(keyOf(i))!)) });
      return results;
    };
    const results = (await Promise.all(Array.from({ length: 200 }, (_, first) => lane(first)))).flat();
    // Asked again, one that had won finds itself.
    const winner = ({ i, result }: (typeof results)[number]): StoredRecord | undefined => {
      const record = result.ok ? result.record : result.current;
      return text(record?.value) === `${i}` ? record : undefined;
    };
    const won = results.filter((one) => winner(one));
    assert.equal(won.length, 100, 'one of a hundred wins each key');
    assert.equal(await subject.revision(), 200, 'and nobody else changed anything');
    for (const one of won) {
      const stored = await answered(() => store.get(keyOf(one.i)));
      assert.deepEqual([stored?.modRevision, text(stored?.value)], [winner(one)?.modRevision, `${one.i}`]);
    }
    for (const { result } of results) assert.ok(result.ok || (result.current?.modRevision ?? 0) > subject.at(100));
  });

  on('a range over 100,000 keys comes in pages of one revision, each key once and in order', async ({ store }) => {
    const [count, inOne] = [100_000, 100];
    const name = (i: number): string => `/many/${String(i).padStart(6, '0')}`;
    const record = (i: number): NewRecord => ({ key: name(i), value: bytes(`${i}`) });
    const fill = async (first: number): Promise<void> => {
      for (let i = first; i < count; i += 10 * inOne) {
        const [{ key, value }, ...alongside] = Array.from({ length: inOne }, (_, j) => record(i + j)) as [NewRecord, ...NewRecord[]];
        await answered(() => store.put(key, value, { ifRevision: 0, alongside }));
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, lane) => fill(lane * inOne)));
    const revision = await answered(() => store.revision());
    let start = '/many/';
    for (let seen = 0; ; ) {
      const page = await answered(() => store.range(start, prefixEnd('/many/'), { limit: 1_000 }));
      assert.deepEqual([page.revision, page.count], [revision, count - seen]);
      const expected = page.records.map((_, i) => `${name(seen + i)}=${seen + i}`);
      assert.deepEqual(
        page.records.map(({ key, value }) => `${key}=${text(value)}`),
        expected,
      );
      seen += expected.length;
      if (!page.more) return assert.equal(seen, count);
      start = `${page.records.at(-1)!.key}\0`;
    }
  });
}

function ending(on: On): void {
  on('watch ends when its signal aborts', async (subject) => {
    const stop = new AbortController();
    const next = subject.store.watch('/', '0', subject.at(1), stop)[Symbol.asyncIterator]().next();
    stop.abort();
    assert.equal((await next).done, true);
  });

  on('watch ends when the store closes', async (subject) => {
    const { signal } = new AbortController();
    const next = subject.store.watch('/', '0', subject.at(1), { signal })[Symbol.asyncIterator]().next();
    await subject.store.close();
    assert.equal((await next).done, true);
  });

  on('every call after close says STORE_CLOSED, and a second close is fine', async ({ store }) => {
    await store.close();
    const closed = (err: unknown): boolean => isKnownError(err, 'STORE_CLOSED');
    await assert.rejects(store.get('/a'), closed);
    await assert.rejects(store.range('/', '0'), closed);
    await assert.rejects(store.put('/a', bytes('1')), closed);
    await assert.rejects(store.delete('/a'), closed);
    await assert.rejects(store.compact(1), closed);
    await assert.rejects(store.revision(), closed);
  });
}
