import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints } from './endpoints.ts';
import { raise } from './raise.ts';

/** Counts the writes, and those under way; `compactions` has how many there were at each. */
function scene(): { write(): Promise<void>; endpoints: Pick<Endpoints, 'call'>; writes: number; most: number; compactions: number[][] } {
  let underWay = 0;
  const it = {
    writes: 0,
    most: 0,
    compactions: [] as number[][],
    async write(): Promise<void> {
      it.most = Math.max(it.most, ++underWay);
      await Promise.resolve();
      underWay--;
      it.writes++;
    },
    endpoints: {
      call: async (_: unknown, { revision }: { revision: number }) => void it.compactions.push([revision, it.writes]),
    } as unknown as Pick<Endpoints, 'call'>,
  };
  return it;
}

test('raise() writes as often as revisions are missing, two hundred at once, and forgets them from time to time', async () => {
  const few = scene();
  await raise(few.endpoints, few.write, { from: 100, to: 1_150 });
  assert.deepEqual([few.writes, few.most, few.compactions], [1_050, 200, []]);
  const many = scene();
  await raise(many.endpoints, many.write, { from: 7, to: 120_000 });
  assert.equal(many.writes, 119_993);
  assert.deepEqual(many.compactions, [
    [50_007, 50_000],
    [100_007, 100_000],
  ]);
});

test('raise() writes nothing where it is high enough, and no more once it is told to stop', async () => {
  const none = scene();
  await raise(none.endpoints, none.write, { from: 100, to: 100 });
  await raise(none.endpoints, none.write, { from: 100, to: 90 });
  assert.equal(none.writes, 0);
  const stop = new AbortController();
  const stopped = scene();
  const write = (): Promise<void> => {
    stop.abort(new Error('closed'));
    return stopped.write();
  };
  await assert.rejects(raise(stopped.endpoints, write, { from: 0, to: 1_000 }, stop.signal), /closed/);
  assert.equal(stopped.writes, 200);
});
