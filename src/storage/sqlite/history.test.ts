import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { violations } from '../testing/history/check.ts';
import { Workload } from '../testing/history/workload.ts';
import { StoreProcess } from './testing/store-process.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-history-'));
after(() => rmSync(dir, { recursive: true }));

test('clients that write, read and watch over kill -9 see one history, in which nothing acknowledged is lost', async (t) => {
  const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`HISTORY_SEED=${seed}`);
  const random = seededRandom(seed);
  await using store = new StoreProcess(join(dir, 'store.db'));
  await store.start();
  const workload = await Workload.start(store, { random });
  for (let kills = 0; kills < 4; kills++) {
    await workload.more(20 + random(300));
    await store.kill();
    await store.start();
  }
  await workload.more(100);
  assert.deepEqual(violations(await workload.history()), []);
});
