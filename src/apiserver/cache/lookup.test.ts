import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { nodes, pods } from '../../api/resource-types.ts';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import { encodeObject } from './cached-object.ts';
import { Lookup } from './lookup.ts';
import { WatchFeed } from './watch-feed.ts';

const value = (kind: string, name: string, labels = {}): Buffer => encodeObject({ apiVersion: 'v1', kind, metadata: { name, labels } });

/** A node `n`, and pods `a` and `b` in two namespaces. */
async function cluster(): Promise<{ store: MemoryStore; feed: WatchFeed; lookup: Lookup } & AsyncDisposable> {
  const store = new MemoryStore();
  await store.put('/registry/nodes/n', value('Node', 'n'));
  for (const key of ['default/a', 'default/b', 'shop/a']) await store.put(`/registry/pods/${key}`, value('Pod', key.split('/')[1]!));
  const feed = new WatchFeed({ store, clock: systemClock, log: silentLog });
  for (const storedAs of ['nodes', 'pods']) feed.add(storedAs);
  await feed.start();
  const lookup = new Lookup(feed, new Registry());
  return {
    ...{ store, feed, lookup },
    async [Symbol.asyncDispose]() {
      await feed.close();
      await store.close();
    },
  };
}

describe('Lookup', () => {
  test('gets an object by its name, in its namespace where it has one', async () => {
    await using bed = await cluster();
    const { lookup } = bed;
    assert.equal(lookup.get(nodes, 'n')?.kind, 'Node');
    assert.equal(lookup.get(nodes, 'n', 'ignored')?.kind, 'Node');
    assert.equal(lookup.get(pods, 'b', 'default')?.metadata.name, 'b');
    assert.deepEqual([lookup.get(pods, 'b', 'shop'), lookup.get(pods, 'b'), lookup.get(nodes, 'm')], [undefined, undefined, undefined]);
  });

  test('finds what was written just before', async () => {
    await using bed = await cluster();
    await bed.store.put('/registry/pods/shop/new', value('Pod', 'new'));
    assert.equal((await bed.lookup.find(pods, 'new', 'shop'))?.metadata.name, 'new');
    assert.equal((await bed.lookup.find(nodes, 'n'))?.metadata.name, 'n');
    assert.equal(await bed.lookup.find(pods, 'no', 'shop'), undefined);
  });

  test('lists those of a namespace, or of each', async () => {
    await using bed = await cluster();
    const names = (namespace?: string): string =>
      bed.lookup
        .list(pods, namespace)
        .map((o) => o.metadata.name)
        .join('');
    assert.deepEqual([names(), names('default'), names('shop'), names('no')], ['aba', 'ab', 'a', '']);
  });

  test('tells those who follow of what is there, what comes and changes and goes, and of a reset', async () => {
    await using bed = await cluster();
    const told: string[] = [];
    bed.lookup.follow(nodes, {
      put: (node, previous) => told.push(`put ${node.metadata.name} ${previous() ? 'again' : 'new'}`),
      delete: (node) => told.push(`delete ${node.metadata.name}`),
    });
    assert.deepEqual(told.splice(0), ['put n new']);
    await bed.store.put('/registry/nodes/m', value('Node', 'm'));
    await bed.store.put('/registry/nodes/m', value('Node', 'm', { a: 'b' }));
    await bed.store.delete('/registry/nodes/n');
    await bed.feed.fresh();
    assert.deepEqual(told.splice(0), ['put m new', 'put m again', 'delete n']);
    const cache = bed.feed.cache('nodes');
    cache.reset(cache.range(), 9);
    assert.deepEqual(told, ['delete m', 'put m new']);
  });
});
