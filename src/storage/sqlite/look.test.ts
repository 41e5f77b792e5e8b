import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lookAtStore } from './look.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-look-'));
after(() => rmSync(dir, { recursive: true }));

test('lookAtStore() tells format, size and room of a store that is open; nothing of what is none', async () => {
  const path = join(dir, 'look.db');
  await using store = await openSqliteStore(path);
  await store.put('/a', new Uint8Array(100_000));
  const found = lookAtStore(path);
  assert.deepEqual([found?.format, found?.knownFormat, found?.path], [2, 2, path]);
  assert.ok((found?.bytes ?? 0) > 100_000);
  assert.ok((found?.freeBytes ?? 0) > 0);
  assert.equal(lookAtStore(join(dir, 'none.db')), undefined);
  writeFileSync(join(dir, 'other.db'), 'no store');
  assert.equal(lookAtStore(join(dir, 'other.db')), undefined);
});
