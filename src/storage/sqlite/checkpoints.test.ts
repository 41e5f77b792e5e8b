import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytes } from '../testing/events.ts';
import { readState } from './schema.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-checkpoints-'));
after(() => rmSync(dir, { recursive: true }));
const deadlineMs = 90_000;

describe('checkpoints', () => {
  test('keep the log as short under a crash loop as after one crash', () => {
    const path = join(dir, 'loop.db');
    const sizes = Array.from({ length: 6 }, () => {
      const run = spawnSync(process.execPath, [new URL('./testing/crash-child.ts', import.meta.url).pathname, path], { encoding: 'utf8' });
      assert.equal(run.signal, 'SIGKILL', run.stderr);
      return statSync(`${path}-wal`).size;
    });
    // An overwritten value is written to the log of events too, so that later rounds write up to twice as much as the first.
    assert.ok(Math.max(...sizes) < 3 * sizes[0]!, `sizes of the log: ${sizes.join(', ')}`);
  });

  test('copy what is old into the file, however little it is', async () => {
    const path = join(dir, 'aged.db');
    await using store = await openSqliteStore(path, { checkpointAgeMs: 20 });
    for (let revision = 1; revision <= 2; revision++) {
      await store.put('/a', bytes('1'));
      const until = performance.now() + deadlineMs;
      while (readState(path, true)?.revision !== revision && performance.now() < until) await sleep(10);
      assert.equal(readState(path, true)?.revision, revision);
    }
  });
});
