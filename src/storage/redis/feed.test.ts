import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Compacted } from '../store.ts';
import { Feed } from './feed.ts';

/** As of a store that was opened at revision 10, and has heard of nothing since. */
function feedAt10(read: () => Promise<never> = () => assert.fail('it asked Redis')): Feed {
  return new Feed({ revision: 10, withoutHistory: ['/leases/'], read, note: () => {} });
}

describe('Feed', () => {
  test('has every event of the revisions that it has seen, and says so at once', async () => {
    const feed = feedAt10();
    let answer: boolean | undefined;
    void feed.reach(10).then((isHere) => (answer = isHere));
    await setImmediate();
    assert.equal(answer, true);
    assert.deepEqual(await feed.between('/', '0', 10, 10), []);
  });

  test('does not know what was between revisions before its first one', async () => {
    assert.equal(await feedAt10().between('/', '0', 9, 10), undefined);
  });

  test('has no past of a range that takes in keys without history', async () => {
    for (const [start, end] of [
      ['/', '0'],
      ['/leases/a', '/leases/b'],
      ['/a', '/leases/0'],
    ] as const)
      await assert.rejects(feedAt10().read(start, end, 3, 10), (err) => err instanceof Compacted && err.floor === 10);
    const asked = new Error('it asked Redis');
    for (const [start, end] of [
      ['/a', '/leases/'],
      ['/leases0', '0'],
    ] as const)
      await assert.rejects(feedAt10(() => Promise.reject(asked)).read(start, end, 3, 10), asked);
  });
});
