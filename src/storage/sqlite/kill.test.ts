import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { text } from '../testing/events.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-kill-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

/** A process that writes and prints `key revision value` of each write that was acknowledged; `lines` says how many to wait for. */
async function writer(
  path: string,
  lines: number,
): Promise<{ child: ChildProcess; acknowledged: Map<string, { revision: number; value: string }> }> {
  const child = spawn(process.execPath, [new URL('./testing/kill-child.ts', import.meta.url).pathname, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const acknowledged = new Map<string, { revision: number; value: string }>();
  const reader = createInterface({ input: child.stdout! });
  let seen = 0;
  const enough = new Promise<void>((resolve, reject) => {
    reader.on('line', (row) => {
      const [key, revision, value] = row.split(' ');
      acknowledged.set(key!, { revision: Number(revision), value: value! });
      if (++seen === lines) resolve();
    });
    reader.on('close', () => reject(new Error(`the writer ended after ${seen} writes`)));
  });
  await enough;
  return { child, acknowledged };
}

describe('kill -9', () => {
  test('loses no acknowledged write, whatever the moment', async () => {
    const path = join(dir, 'store.db');
    let newest = 0;
    const all = new Map<string, { revision: number; value: string }>();
    for (const lines of [1, 200, 3_000]) {
      const { child, acknowledged } = await writer(path, lines);
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
      for (const [key, write] of acknowledged) all.set(key, write);

      await using store = await openSqliteStore(path);
      for (const [key, write] of all) {
        const record = await store.get(key);
        // The key may have been written once more without the word getting out; it may never be older.
        assert.ok(
          record && record.modRevision >= write.revision,
          `${key} at ${write.revision} was acknowledged, and is ${record?.modRevision}`,
        );
        if (record.modRevision === write.revision) assert.equal(text(record.value), write.value);
      }
      const revision = await store.revision();
      assert.ok(revision > newest, 'revisions go on');
      newest = revision;
      await store.close();
    }
  });

  test('releases the lock, which refuses a second process while the first one lives', async () => {
    const path = join(dir, 'lock.db');
    const { child } = await writer(path, 1);
    await assert.rejects(openSqliteStore(path), (err) => isKnownError(err, 'STORE_IN_USE'));
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
    await (await openSqliteStore(path)).close();
  });
});
