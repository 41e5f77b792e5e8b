import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CachedObject } from './cached-object.ts';
import type { CacheEvent } from './event-log.ts';
import { type CacheListener, ResourceCache } from './resource-cache.ts';

function pod(name: string, node: string, revision: number): CachedObject {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { resourceVersion: `${revision}`, name }, spec: { nodeName: node } };
  return new CachedObject(`/registry/pods/default/${name}`, revision, Buffer.from(JSON.stringify(object)));
}

const where = (value: string) => ({
  field: 'spec.nodeName',
  value,
  valueOf: (o: CachedObject): string => String(o.object.spec?.nodeName),
});

class Seen implements CacheListener {
  readonly revisions: number[] = [];
  onEvents(events: readonly CacheEvent[]): void {
    this.revisions.push(...events.map((e) => e.revision));
  }
  onReset(): void {}
}

function change(cache: ResourceCache, object: CachedObject): void {
  cache.dispatch([cache.put(object, 0)!]);
}

describe('listening to one value of a field', () => {
  test('hears of objects that have it, and of those that had it', () => {
    const cache = new ResourceCache('/registry/pods/');
    const [one, two] = [new Seen(), new Seen()];
    cache.listen(one, where('node-1'));
    cache.listen(two, where('node-2'));
    change(cache, pod('a', 'node-1', 1));
    change(cache, pod('b', 'node-2', 2));
    change(cache, pod('a', 'node-2', 3));
    assert.deepEqual(one.revisions, [1, 3]);
    assert.deepEqual(two.revisions, [2, 3]);
  });

  test('goes on when a former listener of that value is removed once more', () => {
    const cache = new ResourceCache('/registry/pods/');
    const [former, next] = [new Seen(), new Seen()];
    const unlisten = cache.listen(former, where('node-1'));
    unlisten();
    cache.listen(next, where('node-1'));
    unlisten();
    change(cache, pod('a', 'node-1', 1));
    assert.deepEqual(former.revisions, []);
    assert.deepEqual(next.revisions, [1]);
    assert.equal(cache.listenerCount, 1);
  });

  test('leaves nothing behind', () => {
    const cache = new ResourceCache('/registry/pods/');
    const unlisten = [cache.listen(new Seen(), where('node-1')), cache.listen(new Seen(), where('node-1')), cache.listen(new Seen())];
    assert.equal(cache.listenerCount, 3);
    for (const stop of unlisten) stop();
    assert.equal(cache.listenerCount, 0);
  });
});
