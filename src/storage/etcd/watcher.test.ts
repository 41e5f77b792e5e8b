import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Compacted, type StoreEvent } from '../store.ts';
import { line } from '../testing/events.ts';
import { KeySpace } from './key-space.ts';
import type { Message } from './messages.ts';
import { Watcher } from './watcher.ts';

const space = new KeySpace('/registry', '/registry');

function put(key: string, revision: number, bytes = 1): Message<'Event'> {
  return { type: 0, kv: { key, value: Buffer.alloc(bytes, 'x'), createRevision: revision, modRevision: revision, version: 1, lease: 0 } };
}

function event({ kv }: Message<'Event'>): StoreEvent {
  const record = space.record(kv!);
  return { kind: 'put', revision: record.modRevision, record, previous: undefined };
}

function watcherFrom(from: number, until = Number.POSITIVE_INFINITY): Watcher {
  const range = { key: '/registry.fairlead', rangeEnd: '/registry0' };
  return new Watcher({ start: '/registry/', end: '/registry0', range, from, until, event });
}

async function taken(watcher: Watcher): Promise<[string[], number] | undefined> {
  const batch = await watcher.take();
  return batch && [batch.events.map((one) => line(one)), batch.revision];
}

describe('a watcher', () => {
  test('gives what came since the last time, from its revision on', async () => {
    const watcher = watcherFrom(5);
    watcher.push([put('/registry/a', 4), put('/registry/a', 5), put('/registry/b', 6)]);
    watcher.push([put('/registry/b', 6), put('/registry/c', 7)]);
    assert.deepEqual(await taken(watcher), [['5 put /registry/a=x', '6 put /registry/b=x', '7 put /registry/c=x'], 7]);
    assert.equal(watcher.next, 8);
  });

  test('never goes back: what it is told late of an older revision says nothing', async () => {
    const watcher = watcherFrom(5);
    watcher.reached(12);
    watcher.reached(8);
    assert.equal(watcher.next, 13);
    assert.deepEqual(await taken(watcher), [[], 12]);
    watcher.push([put('/registry/a', 9), put('/registry/a', 13)]);
    assert.deepEqual(await taken(watcher), [['13 put /registry/a=x'], 13]);
  });

  test('gives every event of one revision', async () => {
    const watcher = watcherFrom(5);
    watcher.push([put('/registry/a', 5), put('/registry/b', 5)]);
    assert.deepEqual(await taken(watcher), [['5 put /registry/a=x', '5 put /registry/b=x'], 5]);
  });

  test('tells that it has come further when only the fence was written', async () => {
    const watcher = watcherFrom(5);
    const next = taken(watcher);
    watcher.push([put('/registry.fairlead', 9)]);
    assert.deepEqual(await next, [[], 9]);
    watcher.reached(9);
    watcher.reached(12);
    assert.deepEqual(await taken(watcher), [[], 12]);
    assert.equal(watcher.next, 13);
  });

  test('tells that there was nothing at the very revision that it begins with', async () => {
    const watcher = watcherFrom(5);
    watcher.reached(5);
    assert.deepEqual(await taken(watcher), [[], 5]);
  });

  test('ends at its revision: with the event of it, behind it, at once when it lies before the first', async () => {
    const exact = watcherFrom(5, 6);
    exact.push([put('/registry/a', 5), put('/registry/b', 6), put('/registry/c', 7)]);
    assert.ok(exact.hasEnded);
    assert.deepEqual(await taken(exact), [['5 put /registry/a=x', '6 put /registry/b=x'], 6]);
    assert.equal(await taken(exact), undefined);
    const behind = watcherFrom(5, 6);
    behind.push([put('/registry.fairlead', 20)]);
    assert.deepEqual(await taken(behind), [[], 6]);
    assert.equal(await taken(behind), undefined);
    const empty = watcherFrom(5, 4);
    assert.ok(empty.hasEnded);
    assert.equal(await taken(empty), undefined);
    const open = watcherFrom(5, 6);
    open.push([put('/registry/a', 5)]);
    assert.ok(!open.hasEnded);
  });

  test('is full by number and by bytes, until its events are taken', async () => {
    const many = watcherFrom(1);
    many.push(Array.from({ length: 4_095 }, (_, i) => put('/registry/a', i + 1)));
    assert.ok(!many.isFull);
    many.push([put('/registry/a', 4_096)]);
    assert.ok(many.isFull);
    await many.take();
    assert.ok(!many.isFull);
    const large = watcherFrom(1);
    large.push([put('/registry/a', 1, (16 << 20) - 1)]);
    assert.ok(!large.isFull);
    large.push([put('/registry/a', 2, 1)]);
    assert.ok(large.isFull);
    await large.take();
    assert.ok(!large.isFull);
    large.push([put('/registry/a', 3, (16 << 20) - 1)]);
    assert.ok(!large.isFull, 'what was taken counts no more');
    large.push([put('/registry/a', 4, 1)]);
    assert.ok(large.isFull);
    const replacing = watcherFrom(1);
    replacing.push([{ ...put('/registry/a', 2, 8 << 20), prevKv: put('/registry/a', 1, 8 << 20).kv! }]);
    assert.ok(replacing.isFull, 'what was there before counts, too');
  });

  test('waits for its first event, whatever older ones come', async () => {
    const watcher = watcherFrom(5);
    assert.deepEqual(watcher.range, { key: '/registry.fairlead', rangeEnd: '/registry0' });
    watcher.push([put('/registry/a', 4)]);
    watcher.push([]);
    assert.equal(watcher.next, 5);
    watcher.push([put('/registry/a', 5)]);
    assert.deepEqual(await taken(watcher), [['5 put /registry/a=x'], 5]);
  });

  test('gives what is there before it ends, and its problem after that', async () => {
    const watcher = watcherFrom(5);
    watcher.push([put('/registry/a', 5)]);
    watcher.end(new Error('compacted'));
    watcher.end();
    watcher.push([put('/registry/a', 6)]);
    assert.deepEqual(await taken(watcher), [['5 put /registry/a=x'], 5]);
    await assert.rejects(taken(watcher), /compacted/);
    const waiting = watcherFrom(5);
    const next = taken(waiting);
    waiting.end();
    assert.equal(await next, undefined);
  });

  test('ends as compacted at a jump that is news to it, after what came before it', async () => {
    const range = { key: '/registry.fairlead', rangeEnd: '/registry0' };
    const isJump = ({ kv }: Message<'Event'>): boolean => kv!.key === '/registry.jump';
    const watcher = new Watcher({ start: '/registry/', end: '/registry0', range, from: 5, until: 20, event, isJump });
    watcher.push([put('/registry.jump', 4), put('/registry/a', 5)]);
    assert.equal(watcher.hasEnded, false);
    watcher.push([put('/registry/b', 6), put('/registry.jump', 9), put('/registry/c', 10)]);
    assert.deepEqual((await taken(watcher))?.[0], ['5 put /registry/a=x', '6 put /registry/b=x']);
    await assert.rejects(watcher.take(), (err) => err instanceof Compacted && err.floor === 9);
  });

  test('takes a notice of how far etcd has come for nothing that counts where that is confirmed by an event', async () => {
    const asked: number[] = [];
    const range = { key: '/registry.fairlead', rangeEnd: '/registry0' };
    const watched = { start: '/registry/', end: '/registry0', range, from: 5, until: Number.POSITIVE_INFINITY, event };
    const watcher = new Watcher({ ...watched, confirm: (revision) => asked.push(revision) });
    watcher.notice(9);
    assert.deepEqual([watcher.next, asked], [5, [9]]);
    watcher.push([put('/registry.fairlead', 10)]);
    assert.deepEqual(await taken(watcher), [[], 10]);
    const other = new Watcher(watched);
    other.notice(9);
    assert.deepEqual(await taken(other), [[], 9]);
  });
});
