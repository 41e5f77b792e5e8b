import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CachedObject } from './cached-object.ts';
import { type CacheEvent, EventLog } from './event-log.ts';

function event(revision: number, at = 0, bytes = 0): CacheEvent {
  const previous = bytes > 0 ? new CachedObject('/registry/x/a', revision - 1, Buffer.alloc(bytes)) : undefined;
  return { revision, current: undefined, previous, at, frames: new Map() };
}

const limits = { maxEvents: 4, maxBytes: 10_000, maxAgeMs: 1000, minEvents: 2 };
const revisions = (log: EventLog, after: number): number[] | undefined => log.after(after)?.map((e) => e.revision);

describe('EventLog', () => {
  test('gives what came after a revision, and says when it has forgotten', () => {
    const log = new EventLog(10, limits);
    for (const r of [11, 13, 17]) log.push(event(r));
    assert.deepEqual(revisions(log, 10), [11, 13, 17]);
    assert.deepEqual(revisions(log, 12), [13, 17]);
    assert.deepEqual(revisions(log, 17), []);
    assert.equal(revisions(log, 9), undefined);
  });

  test('keeps a number of events', () => {
    const log = new EventLog(0, limits);
    for (let r = 1; r <= 10; r++) log.push(event(r));
    assert.equal(log.floor, 6);
    assert.deepEqual(revisions(log, 6), [7, 8, 9, 10]);
    assert.equal(revisions(log, 5), undefined);
  });

  test('keeps a number of bytes', () => {
    const log = new EventLog(0, limits);
    for (let r = 1; r <= 3; r++) log.push(event(r, 0, 6000));
    assert.deepEqual(revisions(log, log.floor), [3]);
  });

  test('keeps few of the old ones', () => {
    const log = new EventLog(0, limits);
    for (let r = 1; r <= 3; r++) log.push(event(r, 0));
    log.push(event(4, 5000));
    assert.deepEqual(revisions(log, log.floor), [3, 4]);
  });

  test('stays right over many', () => {
    const log = new EventLog(0, { ...limits, maxEvents: 1500, maxBytes: 1 << 30 });
    for (let r = 1; r <= 10_000; r++) log.push(event(r));
    assert.equal(log.size, 1500);
    assert.equal(log.after(8500)?.length, 1500);
    assert.equal(log.after(9999)?.[0]?.revision, 10_000);
  });
});
