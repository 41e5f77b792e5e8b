import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { restartCountOfLogs } from './restart-count.ts';

for (const [what, files, expected] of [
  ['is 0 without logs', [], 0],
  ['follows the newest log', ['0.log', '10.log', '9.log'], 11],
  ['counts logs that were rotated', ['3.log.20260102-030405.gz'], 4],
  ['knows nothing of other files', ['x.log', '7.txt', 'a7.log', '7.logs'], 0],
] as const) {
  test(`restartCountOfLogs() ${what}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'restart-count-'));
    t.after(() => rm(directory, { recursive: true }));
    for (const file of files) await writeFile(join(directory, file), '');
    assert.equal(await restartCountOfLogs(directory), expected);
  });
}

test('restartCountOfLogs() is 0 without a directory', async () => {
  assert.equal(await restartCountOfLogs('/nowhere/at/all'), 0);
});
