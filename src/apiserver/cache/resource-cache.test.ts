import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
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
  readonly mayWait: boolean;
  calls = 0;
  constructor(mayWait = false) {
    this.mayWait = mayWait;
  }
  onEvents(events: readonly CacheEvent[]): void {
    this.calls++;
    this.revisions.push(...events.map((e) => e.revision));
  }
  onReset(): void {}
}

function change(cache: ResourceCache, object: CachedObject): void {
  cache.dispatch([cache.put(object, 0)!]);
}

describe('many who may wait', () => {
  /** A cache, so many listeners who may wait, and one behind them who may not. */
  const crowd = (count: number): { cache: ResourceCache; waiting: Seen[]; other: Seen } => {
    const cache = new ResourceCache('/registry/pods/');
    const waiting = Array.from({ length: count }, () => new Seen(true));
    const other = new Seen();
    for (const one of [...waiting, other]) cache.listen(one);
    return { cache, waiting, other };
  };
  const told = (listeners: readonly Seen[], revision: number): number =>
    listeners.filter(({ revisions }) => revisions.at(-1) === revision).length;

  test('are told a hundred at a time, others at once', async () => {
    const { cache, waiting, other } = crowd(250);
    const event = cache.put(pod('a', 'node-1', 1), 0)!;
    event.frames.set('x', Buffer.from('x'));
    cache.dispatch([event]);
    assert.deepEqual([told(waiting, 1), other.revisions], [100, [1]]);
    await nextTurn();
    assert.deepEqual([told(waiting, 1), event.frames.size], [200, 1]);
    await nextTurn();
    assert.deepEqual([told(waiting, 1), event.frames.size], [250, 0]);
  });

  test('hear of everything once and in its order, also when the next change comes before they have heard of the last', async () => {
    const { cache, waiting } = crowd(250);
    for (const revision of [1, 2, 3]) change(cache, pod('a', 'node-1', revision));
    assert.deepEqual([told(waiting, 1), told(waiting, 2)], [100, 0]);
    await nextTurn();
    assert.deepEqual([told(waiting, 1), told(waiting, 3)], [100, 100]);
    await nextTurn();
    await nextTurn();
    for (const { revisions } of waiting) assert.deepEqual(revisions, [1, 2, 3]);
  });

  test('are told a hundred in a round, and all in their turn, when each round brings a change', async () => {
    const { cache, waiting } = crowd(250);
    const heard = (): number => waiting.reduce((sum, { calls }) => sum + calls, 0);
    const events: CacheEvent[] = [];
    for (let revision = 1; revision <= 50; revision++) {
      const before = heard();
      const event = cache.put(pod('a', 'node-1', revision), 0)!;
      event.frames.set('x', Buffer.from('x'));
      events.push(event);
      cache.dispatch([event]);
      await nextTurn();
      // The first change finds no round and tells a hundred itself.
      assert.equal(heard() - before, revision === 1 ? 200 : 100);
      const least = Math.min(...waiting.map(({ revisions }) => revisions.at(-1) ?? 0));
      assert.ok(least >= revision - 3, `somebody has heard of ${least} when ${revision} is told`);
      assert.deepEqual(
        events.map(({ frames }) => frames.size),
        events.map((_, i) => (i < least ? 0 : 1)),
      );
    }
    for (let i = 0; i < 3; i++) await nextTurn();
    for (const { revisions } of waiting)
      assert.deepEqual(
        revisions,
        events.map(({ revision }) => revision),
      );
  });

  test('hear of what was before a reset, and nothing once they listen no more', async () => {
    const { cache, waiting } = crowd(0);
    const listeners = Array.from({ length: 102 }, () => new Seen(true));
    const unlisten = listeners.map((one) => cache.listen(one));
    change(cache, pod('a', 'node-1', 1));
    unlisten[100]!();
    cache.reset([], 1);
    assert.deepEqual(
      listeners.slice(99).map(({ revisions }) => revisions),
      [[1], [], [1]],
    );
    await nextTurn();
    assert.deepEqual([waiting.length, listeners[100]!.calls], [0, 0]);
  });

  test('keep the frames of what others are still told', async () => {
    const { cache } = crowd(101);
    const event = (revision: number): CacheEvent => {
      const made = cache.put(pod('a', 'node-1', revision), 0)!;
      made.frames.set('x', Buffer.from('x'));
      return made;
    };
    const [old, told] = [event(1), event(2)];
    cache.dispatch([told]);
    cache.forgetFrames([old, told]);
    assert.deepEqual([old.frames.size, told.frames.size], [0, 1]);
    await nextTurn();
    assert.equal(told.frames.size, 0);
  });

  test('end by themselves when what one is told cannot be told, and the others hear of it', async () => {
    const { cache, waiting } = crowd(250);
    const ended: number[] = [];
    for (const i of [50, 120]) {
      waiting[i]!.onEvents = () => assert.fail('no protobuf of it');
      waiting[i]!.onReset = () => void ended.push(i);
    }
    change(cache, pod('a', 'node-1', 1));
    await nextTurn();
    await nextTurn();
    assert.deepEqual([told(waiting, 1), ended], [248, [50, 120]]);
  });

  test('are told before the end', () => {
    const { cache, waiting } = crowd(250);
    change(cache, pod('a', 'node-1', 1));
    cache.end();
    assert.equal(told(waiting, 1), 250);
  });
});

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

  test('hears of several events at once in one call', () => {
    const cache = new ResourceCache('/registry/pods/');
    const calls: number[][] = [];
    cache.listen({ onEvents: (events) => void calls.push(events.map((e) => e.revision)), onReset() {} }, where('node-1'));
    cache.dispatch([pod('a', 'node-1', 1), pod('b', 'node-2', 2), pod('c', 'node-1', 3)].map((one) => cache.put(one, 0)!));
    assert.deepEqual(calls, [[1, 3]]);
  });

  test('goes on for one of two when the other is removed', () => {
    const cache = new ResourceCache('/registry/pods/');
    const [one, two, all] = [new Seen(), new Seen(), new Seen()];
    const unlisten = cache.listen(one, where('node-1'));
    cache.listen(two, where('node-1'));
    cache.listen(all);
    unlisten();
    change(cache, pod('a', 'node-1', 1));
    assert.deepEqual([one.revisions, two.revisions, all.revisions], [[], [1], [1]]);
    assert.deepEqual([cache.listenerCount, cache.broadListeners], [2, 1]);
  });

  test('is told of a reset, and of what was there', () => {
    const cache = new ResourceCache('/registry/pods/');
    cache.put(pod('a', 'node-1', 1), 0);
    const told: string[] = [];
    const listener = (name: string): CacheListener => ({
      onEvents() {},
      onReset: (before) => void told.push(`${name} ${before.map((o) => o.revision)}`),
    });
    cache.listen(listener('all'));
    cache.listen(listener('one'), where('node-1'));
    cache.reset([pod('b', 'node-1', 2)], 2);
    assert.deepEqual(told, ['all 1', 'one 1']);
    assert.deepEqual([cache.size, cache.floor, cache.get('/registry/pods/default/b')?.revision], [1, 2, 2]);
  });

  test('shares the frames of an event among all, and keeps none', () => {
    const cache = new ResourceCache('/registry/pods/');
    const seen: number[] = [];
    const listener: CacheListener = {
      onEvents: ([event]) => void seen.push(event!.frames.set(`${event!.frames.size}`, Buffer.alloc(0)).size),
      onReset() {},
    };
    cache.listen(listener);
    cache.listen({ ...listener }, where('node-1'));
    change(cache, pod('a', 'node-1', 1));
    assert.deepEqual([seen, cache.eventsAfter(0)?.[0]?.frames.size], [[1, 2], 0]);
  });

  test('leaves nothing behind', () => {
    const cache = new ResourceCache('/registry/pods/');
    const unlisten = [cache.listen(new Seen(), where('node-1')), cache.listen(new Seen(), where('node-1')), cache.listen(new Seen())];
    assert.equal(cache.listenerCount, 3);
    for (const stop of unlisten) stop();
    assert.equal(cache.listenerCount, 0);
  });
});

describe('range()', () => {
  const keyed = (key: string, revision: number): CachedObject =>
    new CachedObject(key, revision, Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: key } })));
  const filled = (): ResourceCache => {
    const cache = new ResourceCache('/pods/');
    for (const [i, key] of ['b/2', 'a/1', 'c/1', 'b/1', 'ba/1'].entries()) cache.put(keyed(`/pods/${key}`, i + 1), 0);
    return cache;
  };
  const keys = (objects: readonly CachedObject[] | undefined): string[] | undefined => objects?.map((o) => o.key.slice('/pods/'.length));

  test('gives the objects of a prefix in order, from a key on', () => {
    const cache = filled();
    assert.deepEqual(keys(cache.range()), ['a/1', 'b/1', 'b/2', 'ba/1', 'c/1']);
    assert.deepEqual(keys(cache.range('/pods/b/')), ['b/1', 'b/2']);
    assert.deepEqual(keys(cache.range('/pods/b/', '/pods/b/1\0')), ['b/2']);
    assert.deepEqual(keys(cache.range('/pods/', '/pods/b/2')), ['b/2', 'ba/1', 'c/1']);
    assert.deepEqual(keys(cache.range('/pods/none/')), []);
  });

  test('gives a copy: what comes later does not change it', () => {
    const cache = filled();
    const before = cache.range();
    cache.delete('/pods/a/1', 6, 0);
    assert.equal(before.length, 5);
    assert.equal(cache.range().length, 4);
  });

  test('rangeAt() gives what was there at a revision, as far as the log reaches', () => {
    const cache = filled();
    cache.delete('/pods/b/1', 6, 0);
    cache.put(keyed('/pods/b/2', 7), 0);
    const at = (revision: number, prefix?: string): unknown =>
      cache.rangeAt(revision, prefix)?.map((o) => `${o.key.slice(6)}@${o.revision}`);
    assert.deepEqual(at(7), ['a/1@2', 'b/2@7', 'ba/1@5', 'c/1@3']);
    assert.deepEqual(at(5, '/pods/b/'), ['b/1@4', 'b/2@1']);
    assert.deepEqual(at(1), ['b/2@1']);
    cache.reset([keyed('/pods/a/1', 9)], 9);
    assert.equal(at(8), undefined);
    assert.deepEqual(at(9), ['a/1@9']);
  });

  test('takes nothing that is older than what is there', () => {
    const cache = filled();
    assert.equal(cache.put(keyed('/pods/c/1', 3), 0), undefined);
    assert.equal(cache.delete('/pods/c/1', 3, 0), undefined);
    assert.equal(cache.delete('/pods/none/1', 9, 0), undefined);
    assert.equal(cache.delete('/pods/c/1', 4, 0)?.previous?.revision, 3);
    assert.equal(cache.get('/pods/c/1'), undefined);
  });

  test('tells its listeners when nothing comes any more, also those of one value', () => {
    const cache = filled();
    let ended = 0;
    const listener = { onEvents() {}, onReset() {}, onEnd: () => void ended++ };
    cache.listen(listener);
    cache.listen({ ...listener }, where('node-1'));
    cache.listen(new Seen());
    cache.end();
    assert.equal(ended, 2);
  });
});
