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

  test('counts the bytes of what has gone no longer, and three hundred for the event itself', () => {
    const log = new EventLog(0, { ...limits, maxBytes: 6600, maxEvents: 100 });
    for (let r = 1; r <= 10; r++) {
      log.push(event(r, 0, 3000));
      assert.equal(log.size, Math.min(r, 2));
    }
    const exact = (maxBytes: number): number => {
      const bare = new EventLog(0, { ...limits, maxBytes });
      for (let r = 1; r <= 3; r++) bare.push(event(r));
      return bare.size;
    };
    assert.deepEqual([exact(900), exact(899), exact(0)], [3, 2, 1]);
  });

  test('keeps a young event, and an old one among few', () => {
    const log = new EventLog(0, limits);
    for (let r = 1; r <= 3; r++) log.push(event(r, 0));
    log.push(event(4, 1000));
    assert.deepEqual(revisions(log, log.floor), [1, 2, 3, 4]);
    log.push(event(5, 1001));
    assert.deepEqual(revisions(log, log.floor), [4, 5]);
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
