import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import { Compacted, type StoreEvent } from '../../storage/store.ts';
import { encodeObject } from './cached-object.ts';
import { readObjects, readPast } from './load.ts';

const { signal } = new AbortController();
const value = (name: string): Buffer => encodeObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const revisions = (events: readonly StoreEvent[]): number[] => events.map((event) => event.revision);

describe('readObjects()', () => {
  test('gives every object of the prefix in pages, and the revisions of the first and last page', async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 2_001; i++) await store.put(`/registry/configmaps/default/c${i}`, value(`c${i}`));
    await store.put('/registry/configmapsx/default/other', value('other'));
    const { range } = store;
    let pages = 0;
    store.range = async (...args) => {
      const page = await range.apply(store, args);
      pages++;
      await store.put('/registry/pods/default/meanwhile', value('meanwhile'));
      return page;
    };
    const names = new Set<string>();
    const { first, last } = await readObjects(store, '/registry/configmaps/', (object) => names.add(object.object.metadata.name));
    assert.deepEqual([names.size, pages, first, last], [2_001, 3, 2_002, 2_004]);
    assert.equal(names.has('other'), false);
  });
});

describe('readPast()', () => {
  test('gives what happened up to a revision, but for Leases', async () => {
    const store = new MemoryStore();
    for (const key of ['configmaps/a', 'leases/n1', 'pods/p', 'leasesx/y', 'configmaps/a', 'configmaps/b'])
      await store.put(`/registry/${key}`, value('x'));
    await store.put('/other/a', value('x'));
    const { events, floor } = await readPast(store, 5, signal);
    assert.deepEqual([revisions(events).sort(), floor], [[1, 3, 4, 5], 0]);
  });

  test('reaches back 5000 revisions', async () => {
    const store = new MemoryStore();
    for (let i = 1; i <= 5_010; i++) await store.put('/registry/pods/p', value('p'));
    const { events, floor } = await readPast(store, 5_005, signal);
    assert.deepEqual([floor, events.length, events[0]?.revision, events.at(-1)?.revision], [5, 5_000, 6, 5_005]);
  });

  test('reaches back as far as the store does', async () => {
    const store = new MemoryStore({ maxEvents: 3 });
    for (let i = 1; i <= 9; i++) await store.put('/registry/pods/p', value('p'));
    const { events, floor } = await readPast(store, 9, signal);
    assert.deepEqual([floor, revisions(events)], [6, [7, 8, 9]]);
  });

  test('gives up on a store that says twice that it forgot the same', async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 3; i++) await store.put('/registry/pods/p', value('p'));
    // biome-ignore lint/correctness/useYield: it never gets that far
    store.watch = async function* (_start, _end, from) {
      throw new Compacted(from, 2);
    };
    await assert.rejects(readPast(store, 3, signal), (err) => err instanceof Compacted);
  });
});
