import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { followFile } from './follow-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-follow-'));
after(() => rmSync(dir, { recursive: true }));

/** A new version of a mounted ConfigMap, as the kubelet puts it in place. */
function publish(version: string, text: string): void {
  mkdirSync(join(dir, version));
  writeFileSync(join(dir, version, 'config.conf'), text);
  symlinkSync(version, join(dir, 'new'));
  renameSync(join(dir, 'new'), join(dir, '..data'));
}

test('followFile() tells each new text once, also when a link moves, and waits for a file that is gone', async () => {
  publish('v1', 'one');
  symlinkSync('..data/config.conf', join(dir, 'config.conf'));
  const stop = new AbortController();
  const clock = new FakeClock();
  const told: string[] = [];
  const options = { text: 'one', clock, signal: stop.signal, onChange: async (text: string) => void told.push(text) };
  const following = followFile(join(dir, 'config.conf'), options);
  const later = async (): Promise<void> => {
    await eventually(() => clock.pending > 0);
    await clock.advance(2000);
    await eventually(() => clock.pending > 0);
  };
  await later();
  publish('v2', 'two');
  await later();
  await later();
  rmSync(join(dir, 'v2', 'config.conf'));
  await later();
  publish('v3', 'three');
  await later();
  stop.abort();
  await following;
  assert.deepEqual(told, ['two', 'three']);
});
