import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { openDatabase, openStore } from '../open.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { saveDatabase } from './save.ts';
import { openSnapshot, readStatus } from './snapshot.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-etcd-file-'));
const file = join(dir, 'etcd.snapshot');
const about = { now: Date.now(), signal: new AbortController().signal };
let etcd: TestEtcd;

before(async () => {
  etcd = await TestEtcd.start();
  await using store = await openStore(etcd.url(), {});
  for (let n = 0; n < 200; n++) await store.put(`/registry/things/${n}`, Buffer.from(`{"n":${n}}`));
});
after(async () => {
  await etcd[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

async function save(): ReturnType<typeof saveDatabase> {
  return saveDatabase(file, (await openDatabase(etcd.url()))!, about);
}

describe("etcd's own snapshot", () => {
  test('is saved as etcd sends it, for its owner alone, over an older one', async () => {
    await save();
    const { damage, bytes, engine } = await save();
    assert.deepEqual([damage, engine, bytes], [undefined, 'etcd', statSync(file).size]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(readFileSync(file).includes('{"n":199}'));
  });

  test('is known as damaged when a byte differs or the end is missing', async () => {
    await save();
    const whole = readFileSync(file);
    const changed = Buffer.from(whole);
    changed[whole.indexOf('{"n":7}')]! ^= 1;
    for (const [bytes, damage] of [
      [changed, 'its checksum is wrong: something in it has changed'],
      [whole.subarray(0, -1), 'its end is missing'],
      [whole.subarray(0, -32), 'its end is missing'],
    ] as const) {
      writeFileSync(file, bytes);
      assert.equal((await readStatus(file)).damage, damage);
    }
  });

  test('is refused by restore, which names the command of etcd', async () => {
    await save();
    await assert.rejects(openSnapshot(file), {
      code: 'BAD_CONFIG',
      hint: /etcdutl snapshot restore .*--bump-revision 1000000000 --mark-compacted/,
    });
  });

  test('that ends in the middle leaves the older one, and nothing beside it', async () => {
    await save();
    const older = readFileSync(file);
    const pieces = (await openDatabase(etcd.url()))!;
    async function* half(): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces) yield piece.subarray(0, piece.length >> 1);
    }
    await assert.rejects(saveDatabase(file, half(), about), (err) => isKnownError(err, 'SNAPSHOT_DAMAGED'));
    assert.deepEqual(readFileSync(file), older);
    assert.deepEqual(readdirSync(dir), ['etcd.snapshot']);
  });
});
