/** Started by disk-full.test.ts with a folder on a small tmpfs: fills it, deletes on it, opens the store again on it, makes room, writes. */
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isKnownError, systemCode } from '../../../errors/known-error.ts';
import type { Store } from '../../store.ts';
import { openSqliteStore } from '../sqlite-store.ts';

const folder = process.argv[2]!;
const path = join(folder, 'store.db');
const ballast = join(folder, 'ballast');
const open = (): Promise<Store> => openSqliteStore(path, { reserveBytes: 512 << 10 });
writeFileSync(ballast, new Uint8Array(600_000));

async function isFull(store: Store, key: string, bytes = 5_000): Promise<boolean> {
  try {
    await store.put(key, new Uint8Array(bytes));
    return false;
  } catch (err) {
    if (!isKnownError(err, 'STORE_FULL')) throw err;
    return true;
  }
}

/** Takes what is left of the disk, to the last page. */
function fillDisk(): void {
  try {
    for (let i = 0; ; i++) writeFileSync(join(folder, `rest-${i}`), new Uint8Array(4_096));
  } catch (err) {
    if (systemCode(err) !== 'ENOSPC') throw err;
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

const first = await open();
await first.put('/lease', new Uint8Array(300).fill(0));
let acknowledged = 0;
while (!(await isFull(first, `/k/${acknowledged}`))) acknowledged++;
console.log(`STORE_FULL after ${acknowledged} writes`);
fillDisk();
await first.close();

const second = await open();
must((await second.range('/k/', '/k0')).count === acknowledged, 'a write was acknowledged and is lost');
console.log('reopened on a full disk');
fillDisk();
// More than fits the reserve, were its room not used again and again.
const rounds = 300;
for (let i = 1; i <= rounds; i++) await second.put('/lease', new Uint8Array(300).fill(i));
// The room of the log that was copied meanwhile is free again: taken, too.
fillDisk();
must(await isFull(second, '/new', 200_000), 'a new record took the room that is kept for deletes');
for (let i = 0; i < acknowledged; i++) must((await second.delete(`/k/${i}`)).ok, `/k/${i} was not there`);
await second.close();

const third = await open();
must((await third.range('/k/', '/k0')).count === 0, 'a deletion was acknowledged and is lost');
must((await third.get('/lease'))?.value[0] === rounds % 256, 'a renewal was acknowledged and is lost');
console.log('deleted on a full disk');
rmSync(ballast);
must(!(await isFull(third, '/room')), 'there is room, and a write is refused');
console.log('writes again');
await third.close();

// The reserve was given up and cannot be made again: there is some room, which is not for what is new.
const other = join(folder, 'other.db');
const whole = await openSqliteStore(other, { reserveBytes: 512 << 10 });
await whole.put('/old', new Uint8Array(5_000));
await whole.close();
truncateSync(`${other}-reserve`, 0);
fillDisk();
for (let i = 0; i < 40; i++) rmSync(join(folder, `rest-${i}`));
const spent = await openSqliteStore(other, { reserveBytes: 512 << 10 });
must(await isFull(spent, '/new'), 'a new record took the room of the reserve');
must(!(await isFull(spent, '/old')), 'a record that grows by nothing is refused');
console.log('keeps the room for deletes');
await spent.close();
