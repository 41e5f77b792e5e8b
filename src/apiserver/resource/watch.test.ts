import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isStatusError } from '../status/status-error.ts';
import type { FakeResponse } from './testing/fake-response.ts';
import { type FakeRequest, fakeRequest, type RequestOptions, ResourceBed } from './testing/resource-bed.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const initial = 'allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
const second = 1_000;

async function twoMaps(): Promise<ResourceBed> {
  const bed = await ResourceBed.start();
  for (const name of ['a', 'b']) await bed.map(name);
  await bed.feed.fresh();
  return bed;
}

const watch = async (bed: ResourceBed, query = '', options: RequestOptions = {}): Promise<FakeResponse> =>
  (await bed.call('GET', `${maps}?watch=true&${query}`, options)).res;

async function eventsAfter(bed: ResourceBed, res: FakeResponse, name: string): Promise<string[]> {
  await bed.map(name);
  await bed.feed.fresh();
  return res.events;
}

const last = (res: FakeResponse): { type: string; object: { metadata: object } } => JSON.parse(res.text.trim().split('\n').at(-1)!);

describe('serveWatch()', () => {
  test('begins with what there is, and goes on with what comes', async () => {
    await using bed = await twoMaps();
    const res = await watch(bed);
    assert.deepEqual(
      [res.statusCode, res.headers['content-type'], res.headers['cache-control']],
      [200, 'application/json', 'no-cache, private'],
    );
    assert.deepEqual(res.events, ['ADDED a', 'ADDED b']);
    assert.deepEqual(await eventsAfter(bed, res, 'c'), ['ADDED a', 'ADDED b', 'ADDED c']);
  });

  for (const [query, events] of [
    ['resourceVersion=0', ['ADDED a', 'ADDED b', 'ADDED c']],
    ['resourceVersion=1', ['ADDED b', 'ADDED c']],
    ['resourceVersion=2', ['ADDED c']],
    ['fieldSelector=metadata.name=b', ['ADDED b']],
    [initial, ['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']],
    [`${initial}&resourceVersion=2`, ['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']],
    ['sendInitialEvents=true&resourceVersionMatch=NotOlderThan', ['ADDED a', 'ADDED b', 'ADDED c']],
    ['sendInitialEvents=false&resourceVersionMatch=NotOlderThan', ['ADDED c']],
    ['sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=1', ['ADDED b', 'ADDED c']],
    ['sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0', ['ADDED c']],
  ] as const)
    test(`sends ${events.join(', ')} for ${JSON.stringify(query)}`, async () => {
      await using bed = await twoMaps();
      assert.deepEqual(await eventsAfter(bed, await watch(bed, query), 'c'), events);
    });

  test('marks the end of what there was for a client that waits for it', async () => {
    await using bed = await twoMaps();
    const { object } = last(await watch(bed, initial));
    assert.deepEqual(object, {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: '2', creationTimestamp: null, annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
  });

  test('refuses a revision that is still to come', async () => {
    await using bed = await twoMaps();
    await assert.rejects(watch(bed, `${initial}&resourceVersion=9`), (err) => isStatusError(err, 'Timeout'));
  });

  test('refuses to go on from a revision that the store does not have, so that its client lists anew, and waits for one that it has', async () => {
    await using bed = await twoMaps();
    await assert.rejects(watch(bed, 'resourceVersion=1000'), (err) => isStatusError(err, 'Timeout'));
    // The cache has not heard of it yet.
    await bed.map('c');
    assert.deepEqual(await eventsAfter(bed, await watch(bed, 'resourceVersion=3'), 'd'), ['ADDED d']);
  });

  test('bookmarks within half a minute, again and again, for those who want that', async () => {
    await using bed = await twoMaps();
    const [res, plain] = [await watch(bed, 'allowWatchBookmarks=true&resourceVersion=2'), await watch(bed, 'resourceVersion=2')];
    await bed.clock.advance(25 * second - 1);
    assert.deepEqual(res.events, []);
    await bed.clock.advance(5 * second + 1);
    assert.deepEqual(res.events, ['BOOKMARK']);
    await bed.clock.advance(60 * second);
    assert.ok(res.events.length >= 3, String(res.events));
    assert.deepEqual(plain.events, []);
  });

  test('ends after the time that is asked for, with a bookmark', async () => {
    await using bed = await twoMaps();
    const [res, plain] = [
      await watch(bed, 'timeoutSeconds=7&allowWatchBookmarks=true&resourceVersion=2'),
      await watch(bed, 'timeoutSeconds=7&resourceVersion=2'),
    ];
    await bed.clock.advance(7 * second - 1);
    assert.equal(res.writableEnded, false);
    await bed.clock.advance(1);
    assert.deepEqual([res.writableEnded, res.events, plain.writableEnded, plain.events], [true, ['BOOKMARK'], true, []]);
  });

  for (const query of ['', 'timeoutSeconds=0', 'timeoutSeconds=-1'])
    test(`ends after half an hour to an hour for ${JSON.stringify(query)}`, async () => {
      await using bed = await twoMaps();
      const res = await watch(bed, query);
      await bed.clock.advance(1_800 * second - 1);
      assert.equal(res.writableEnded, false);
      await bed.clock.advance(1_800 * second);
      assert.equal(res.writableEnded, true);
    });

  test('ends with the server, and leaves nothing behind', async () => {
    await using bed = await twoMaps();
    const cache = bed.feed.cache('configmaps');
    const before = bed.clock.pending;
    const res = await watch(bed, 'allowWatchBookmarks=true');
    assert.deepEqual([cache.listenerCount, bed.clock.pending], [1, before + 2]);
    bed.stop.abort();
    assert.deepEqual([res.writableEnded, res.events.at(-1)], [true, 'BOOKMARK']);
    await nextTurn();
    assert.deepEqual([cache.listenerCount, bed.clock.pending], [0, before]);
  });

  test('leaves nothing behind of a client that goes, and starts nothing for one that has gone', async () => {
    await using bed = await twoMaps();
    const cache = bed.feed.cache('configmaps');
    const before = bed.clock.pending;
    const res = await watch(bed, 'allowWatchBookmarks=true');
    res.destroy();
    await nextTurn();
    assert.deepEqual([cache.listenerCount, bed.clock.pending], [0, before]);
    const gone = fakeRequest('GET', `${maps}?watch=true&allowWatchBookmarks=true`);
    gone.res.destroy();
    await bed.run(gone.ctx);
    assert.deepEqual([gone.res.statusCode, bed.clock.pending], [0, before]);
  });

  test('waits for a client that reads slowly, and sends it all then', async () => {
    await using bed = await ResourceBed.start();
    for (let i = 0; i < 30; i++) await bed.map(`m${i}`, { data: { x: 'x'.repeat(100_000) } });
    await bed.feed.fresh();
    const slow: FakeRequest = fakeRequest('GET', `${maps}?watch=true`);
    slow.res.pause();
    const watching = bed.run(slow.ctx);
    await nextTurn();
    const waiting = slow.res.writableLength;
    assert.ok(waiting > 1 << 20 && waiting < 2 << 20, `${waiting}`);
    slow.res.resume();
    await watching;
    await nextTurn();
    assert.equal(slow.res.events.length, 30);
    slow.res.destroy();
  });

  test('goes on when a client that was full reads again', async () => {
    await using bed = await ResourceBed.start();
    const res = await watch(bed);
    res.pause();
    const large = { data: { x: 'x'.repeat(600_000) } };
    for (let i = 0; i < 6; i++) await bed.map(`m${i}`, large);
    await bed.feed.fresh();
    assert.ok(res.writableLength < 2 << 20);
    res.resume();
    await nextTurn();
    assert.equal(res.events.length, 6);
  });

  test('of a selection is told of by the node or name that it is of', async () => {
    await using bed = await twoMaps();
    const res = await watch(bed, 'fieldSelector=metadata.name=b&resourceVersion=2');
    assert.equal(bed.feed.cache('configmaps').broadListeners, 0);
    assert.deepEqual(await eventsAfter(bed, res, 'c'), []);
  });
});
