import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import type { Store } from '../store.ts';
import { bytes, text } from '../testing/events.ts';
import { cannotMount } from '../testing/small-disk.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-full-'));
after(() => rmSync(dir, { recursive: true }));
const value = new Uint8Array(20_000);

/** Writes until there is no room, and checks that what was acknowledged can be read and what was not left no trace. */
async function fill(store: Store): Promise<number> {
  for (let i = 0; ; i++) {
    const before = await store.revision();
    try {
      await store.put(`/fill/${i}`, value);
    } catch (err) {
      assert.ok(isKnownError(err, 'STORE_FULL'), String(err));
      assert.equal(await store.get(`/fill/${i}`), undefined);
      assert.equal(await store.revision(), before);
      assert.equal((await store.range('/fill/', '/fill0')).count, i);
      return i;
    }
  }
}

describe('a full store', () => {
  test('refuses what does not fit, serves reads, and writes again once there is room', async () => {
    await using store = await openSqliteStore(join(dir, 'pages.db'), { maxPages: 200, maxLogEvents: 10 });
    await store.put('/keep', bytes('1'));
    const filled = await fill(store);
    assert.ok(filled > 10);
    const small = store.put('/keep', bytes('2'));
    const large = store.put('/large', new Uint8Array(400_000));
    await assert.rejects(large, (err) => isKnownError(err, 'STORE_FULL'));
    assert.equal((await small).ok, true, 'a write that fits is not lost to one in the same commit that does not');
    for (let i = 0; i < filled; i++) await store.delete(`/fill/${i}`);
    await store.compact(await store.revision());
    assert.equal((await store.put('/again', value)).ok, true);
    assert.equal(text((await store.get('/keep'))?.value), '2');
  });

  test('deletes and renews on a disk that is really full, and survives a restart on it', { skip: cannotMount }, () => {
    // A tmpfs of 2 MB in a mount namespace of the child's own: nothing to unmount, whatever happens.
    const script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" "$3" "$1"';
    const child = new URL('./testing/disk-full-child.ts', import.meta.url).pathname;
    const run = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', dir, process.execPath, child], {
      encoding: 'utf8',
      timeout: 180_000,
    });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /STORE_FULL/);
    assert.match(run.stdout, /reopened on a full disk/);
    assert.match(run.stdout, /deleted on a full disk/);
    assert.match(run.stdout, /writes again/);
    assert.match(run.stdout, /keeps the room for deletes/);
  });
});
