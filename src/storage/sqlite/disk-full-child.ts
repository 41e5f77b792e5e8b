/** Started by disk-full.test.ts with a folder on a small tmpfs: fills it, opens the store again on it, makes room, writes. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isKnownError } from '../../errors/known-error.ts';
import { openSqliteStore } from './sqlite-store.ts';

const folder = process.argv[2]!;
const path = join(folder, 'store.db');
const ballast = join(folder, 'ballast');
writeFileSync(ballast, new Uint8Array(600_000));

const first = await openSqliteStore(path);
const acknowledged: number[] = [];
for (let i = 0; i < 1_000; i++) {
  try {
    await first.put(`/k/${i}`, new Uint8Array(5_000).fill(i));
    acknowledged.push(i);
  } catch (err) {
    if (!isKnownError(err, 'STORE_FULL')) throw err;
    console.log(`STORE_FULL after ${acknowledged.length} writes`);
    break;
  }
}
await first.close();

const second = await openSqliteStore(path);
for (const i of acknowledged) {
  const record = await second.get(`/k/${i}`);
  if (record?.value[0] !== i % 256) throw new Error(`write ${i} was acknowledged and is lost`);
}
console.log('reopened on a full disk');
rmSync(ballast);
await second.put('/room', new Uint8Array(5_000));
console.log('writes again');
await second.close();
