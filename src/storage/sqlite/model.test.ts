import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import type { Store, WriteResult } from '../store.ts';
import { bytes, line, take } from '../testing/events.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-model-'));
after(() => rmSync(dir, { recursive: true }));

function show(result: WriteResult): string {
  const record = result.ok ? result.record : result.current;
  return `${result.ok} ${record?.key} ${record?.createRevision} ${record?.modRevision} ${record && Buffer.from(record.value)}`;
}

async function dump(store: Store): Promise<unknown> {
  const { records, ...rest } = await store.range('/', '0');
  return { ...rest, records: records.map((record) => ({ ...record, value: Buffer.from(record.value).toString() })) };
}

describe('SqliteStore and MemoryStore', () => {
  for (const seed of [1, 2, 3]) {
    test(`agree after every operation, restarts included (seed ${seed})`, async (t) => {
      const random = seededRandom(seed);
      const path = join(dir, `${seed}.db`);
      // A window of a few events, so that watches cross from the file's log into memory.
      const open = (): Promise<Store> => openSqliteStore(path, { withoutHistory: [], maxWindowEvents: 5 });
      const model = new MemoryStore();
      let store = await open();
      t.after(() => store.close());
      let compacted = 0;
      for (let step = 0; step < 400; step++) {
        const key = `/${random(12)}`;
        const revision = await model.revision();
        const ifRevision = [undefined, undefined, 0, (await model.get(key))?.modRevision ?? 0, random(revision + 1)][random(5)];
        const options = ifRevision === undefined ? {} : { ifRevision };
        const kind = random(100);
        if (kind < 60) {
          const value = bytes(`${step}`);
          assert.equal(show(await store.put(key, value, options)), show(await model.put(key, value, options)));
        } else if (kind < 85) {
          assert.equal(show(await store.delete(key, options)), show(await model.delete(key, options)));
        } else if (kind < 87) {
          compacted = Math.max(compacted, random(revision + 1));
          await Promise.all([store.compact(compacted), model.compact(compacted)]);
        } else if (kind < 90) {
          await store.close();
          store = await open();
        } else if (revision > compacted) {
          const from = compacted + 1 + random(revision - compacted);
          const [ours, theirs] = await Promise.all([store, model].map((one) => take(one, '/', '0', from, revision - from + 1)));
          assert.deepEqual(
            ours!.map((event) => line(event)),
            theirs!.map((event) => line(event)),
          );
          await assert.rejects(take(store, '/', '0', compacted, 1), (err) => isKnownError(err, 'STORE_COMPACTED'));
        }
      }
      assert.deepEqual(await dump(store), await dump(model));
    });
  }
});
