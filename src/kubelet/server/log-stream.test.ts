import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { streamLog } from './log-stream.ts';
import { RotatedFile } from './rotated-file.ts';

const line = (text: string): string => `2026-01-01T00:00:00.000000000Z stdout F ${text}\n`;
const follow = { follow: true, timestamps: false, since: undefined, limitBytes: undefined, stream: undefined };

test('a log that is followed across a rotation comes whole', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'fl-follow-'));
  const path = join(dir, 'pod/main/0.log');
  let text = '';
  let looks = 0;
  let runs = true;
  const isRunning = (): boolean => {
    looks++;
    return runs;
  };
  const write = async (bytes: Buffer): Promise<void> => {
    text += bytes.toString();
  };
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, line('a'));
    await using file = await RotatedFile.open(path, undefined);
    const done = streamLog({ file, isRunning }, follow, write, new AbortController().signal);
    await eventually('the first line', () => text === 'a\n');
    // The runtime has made the new file, but still writes into the old one.
    renameSync(path, `${path}.old`);
    writeFileSync(path, '');
    const before = looks;
    await eventually('the reader has looked', () => looks > before + 1);
    appendFileSync(`${path}.old`, line('b'));
    appendFileSync(path, line('c'));
    await eventually('all lines', () => text.split('\n').length > 3 || text.includes('c'));
    runs = false;
    await done;
    assert.equal(text, 'a\nb\nc\n');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
