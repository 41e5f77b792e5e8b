import assert from 'node:assert/strict';
import test from 'node:test';
import { LogFormat, type LogFormatOptions } from './log-format.ts';

const log = [
  '2026-01-01T00:00:00.000000001Z stdout F one',
  '2026-01-01T00:00:01.000000001Z stderr F two',
  '2026-01-01T00:00:02.000000001Z stdout P thr',
  '2026-01-01T00:00:03.000000001Z stdout F ee',
  'garbage',
  '2026-01-01T00:00:04.000000001Z stdout F ',
  '',
].join('\n');
const all: LogFormatOptions = { timestamps: false, since: undefined, stream: undefined };

const cases: readonly [name: string, options: Partial<LogFormatOptions>, wanted: string][] = [
  ['shows the text of every line, and joins those that go on', {}, 'one\ntwo\nthree\n\n'],
  ['shows the lines of one stream', { stream: 'Stderr' }, 'two\n'],
  ['shows lines from a time on', { since: Date.UTC(2026, 0, 1, 0, 0, 3) }, 'ee\n\n'],
  [
    'puts the time before a line, not before what goes on in it',
    { timestamps: true, stream: 'stdout' },
    '2026-01-01T00:00:00.000000001Z one\n2026-01-01T00:00:02.000000001Z three\n2026-01-01T00:00:04.000000001Z \n',
  ],
];
for (const [name, options, wanted] of cases)
  test(`format() ${name}`, () => assert.equal(new LogFormat({ ...all, ...options }).format(Buffer.from(log)).toString(), wanted));

test('format() gives the same in whatever pieces the log comes', () => {
  for (let size = 1; size < 50; size++) {
    const format = new LogFormat(all);
    let text = '';
    for (let at = 0; at < log.length; at += size) text += format.format(Buffer.from(log.slice(at, at + size))).toString();
    assert.equal(text, 'one\ntwo\nthree\n\n', `${size} bytes at a time`);
  }
});
