import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import { SyncLoop } from './sync-loop.ts';

function loop(options: { sync?: () => Promise<void>; verify?: (isWaiting: () => boolean) => Promise<boolean>; minSyncPeriodMs?: number }): {
  clock: FakeClock;
  l: SyncLoop;
  seen: string[];
} {
  const clock = new FakeClock();
  const seen: string[] = [];
  const made = new SyncLoop({
    sync: async () => {
      seen.push('sync');
      await options.sync?.();
    },
    verify: async (isWaiting) => {
      seen.push('verify');
      return (await options.verify?.(isWaiting)) ?? true;
    },
    minSyncPeriodMs: options.minSyncPeriodMs ?? 0,
    syncPeriodMs: 30_000,
    clock,
    log: silentLog,
  });
  return { clock, l: made, seen };
}

function failing(times: number): () => Promise<void> {
  let left = times;
  return async () => {
    if (left-- > 0) throw new Error('no');
  };
}

describe('SyncLoop', () => {
  test('applies the first change at once, and those after it together', async () => {
    const { clock, l, seen } = loop({ minSyncPeriodMs: 1000 });
    l.request();
    await clock.advance(0);
    assert.deepEqual(seen, ['sync']);
    for (let i = 0; i < 5; i++) l.request();
    await clock.advance(999);
    assert.equal(seen.length, 1);
    await clock.advance(1);
    assert.equal(seen.length, 2);
  });

  test('never syncs twice at once, and once more for what came meanwhile', async () => {
    let running = 0;
    let finish = (): void => {};
    const { clock, l, seen } = loop({
      sync: async () => {
        assert.equal(++running, 1);
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        running--;
      },
    });
    l.request();
    await clock.advance(0);
    l.request();
    l.request();
    await clock.advance(10);
    assert.equal(seen.length, 1);
    finish();
    await clock.advance(1);
    assert.equal(seen.length, 2);
    finish();
    await clock.advance(10);
    assert.equal(seen.length, 2);
  });

  test('tries a change at once that comes while it waits after a failure, and then not once more', async () => {
    const { clock, l, seen } = loop({ sync: failing(6) });
    l.request();
    await clock.advance(500 + 1000 + 2000 + 4000 + 8000);
    assert.equal(seen.length, 6);
    l.request();
    await clock.advance(0);
    assert.equal(seen.length, 7);
    await clock.advance(60_000);
    assert.equal(seen.length, 7);
  });

  test('leaves no timer behind when it is stopped during a failing sync', async () => {
    let fail = (): void => {};
    const { clock, l, seen } = loop({
      sync: () =>
        new Promise<void>((_, reject) => {
          fail = () => reject(new Error('no'));
        }),
    });
    l.request();
    await clock.advance(0);
    const stopping = l.stop();
    fail();
    await stopping;
    assert.equal(clock.pending, 0);
    assert.equal(seen.length, 1);
  });

  test('tries again with growing pauses, also when nothing more changes', async () => {
    const { clock, l, seen } = loop({ sync: failing(3) });
    l.request();
    await clock.advance(0);
    await clock.advance(500);
    assert.equal(seen.length, 2);
    await clock.advance(999);
    assert.equal(seen.length, 2);
    await clock.advance(1);
    assert.equal(seen.length, 3);
    await clock.advance(2000);
    assert.equal(seen.length, 4);
    assert.equal(clock.pending, 0);
  });

  test('verifies every period, before a sync', async () => {
    const { clock, l, seen } = loop({});
    l.watch();
    await clock.advance(60_000);
    assert.deepEqual(seen, ['verify', 'sync', 'verify', 'sync']);
    await l.stop();
    await clock.advance(60_000);
    assert.equal(seen.length, 4);
  });

  test('lets a look know of a change that waits, and calls it again after that one until it is done', async () => {
    const told: boolean[] = [];
    const { clock, l, seen } = loop({
      verify: async (isWaiting) => {
        const before = isWaiting();
        // The first of the two looks meets with a change.
        if (told.length === 0) l.request();
        told.push(before, isWaiting());
        return !isWaiting();
      },
    });
    l.watch();
    await clock.advance(30_000);
    assert.deepEqual(
      [told, seen],
      [
        [false, true, false, false],
        ['verify', 'sync', 'verify', 'sync'],
      ],
    );
    await clock.advance(29_999);
    assert.equal(seen.length, 4);
    // One that comes before the look waits for no more than a part of it.
    l.suspect();
    l.request();
    await clock.advance(0);
    assert.deepEqual(told.slice(4, 6), [true, true]);
    await l.stop();
  });
});
