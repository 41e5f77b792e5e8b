import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { offsetOfTail, parseLogLine, tailOf } from './log-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'fl-log-'));
after(() => rmSync(dir, { recursive: true }));
const file = join(dir, '0.log');

test('parseLogLine() takes a line apart', () => {
  const line = parseLogLine(Buffer.from('2026-01-01T00:00:00.5Z stderr P a b'));
  assert.deepEqual(line && { ...line, text: line.text.toString() }, {
    time: '2026-01-01T00:00:00.5Z',
    stream: 'stderr',
    partial: true,
    text: 'a b',
  });
});

test('parseLogLine() takes an empty line', () => assert.equal(parseLogLine(Buffer.from('t stdout F '))?.text.length, 0));
test('parseLogLine() does not take what is none', () => assert.equal(parseLogLine(Buffer.from('nonsense')), undefined));

const lines = Array.from({ length: 5000 }, (_, i) => `2026-01-01T00:00:00Z stdout F line number ${i}\n`);
const offsets: readonly [name: string, wanted: number, count: number][] = [
  ['the last line', 1, 1],
  ['lines in more than one block', 4000, 4000],
  ['all when more are asked for than there are', 9999, 5000],
  ['none', 0, 0],
];
for (const [name, wanted, count] of offsets)
  test(`offsetOfTail() finds ${name}`, async () => {
    writeFileSync(file, lines.join(''));
    await using handle = await open(file);
    assert.equal(await offsetOfTail(handle, wanted), lines.slice(0, 5000 - count).join('').length);
  });

test('tailOf() gives text without the words of the runtime, and no more than asked for', async () => {
  writeFileSync(file, lines.join(''));
  await using handle = await open(file);
  assert.equal(await tailOf(handle, 2, 100), 'line number 4998\nline number 4999\n');
  assert.equal(await tailOf(handle, 80, 5), '4999\n');
});
