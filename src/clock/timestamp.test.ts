import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMicroTime, formatTime, microTimestamp, parseInstant, timestamp } from './timestamp.ts';

test('timestamp() cuts off what is less than a second, microTimestamp() keeps six digits', () => {
  const ms = Date.UTC(2024, 0, 31, 23, 59, 59, 999);
  assert.equal(timestamp(ms), '2024-01-31T23:59:59Z');
  assert.equal(microTimestamp(ms), '2024-01-31T23:59:59.999000Z');
});

test('an instant is written in UTC, and only in years of four digits', () => {
  const firstYear = -62_167_219_200;
  const lastSecond = 253_402_300_799;
  const written: readonly [number, string | undefined][] = [
    [1704067200, '2024-01-01T00:00:00Z'],
    [firstYear, '0000-01-01T00:00:00Z'],
    [firstYear - 1, undefined],
    [lastSecond, '9999-12-31T23:59:59Z'],
    [lastSecond + 1, undefined],
    [Number.NaN, undefined],
  ];
  for (const [seconds, text] of written) assert.equal(formatTime({ seconds, nanos: 999_999_999 }), text, String(seconds));
  assert.equal(formatMicroTime({ seconds: 0, nanos: 10_999 }), '1970-01-01T00:00:00.000010Z');
  assert.equal(formatMicroTime({ seconds: lastSecond + 1, nanos: 0 }), undefined);
});

test('parseInstant() reads RFC 3339 and nothing else', () => {
  assert.deepEqual(parseInstant('2024-01-01T01:00:00.5+01:00'), { seconds: 1704067200, nanos: 500_000_000 });
  assert.deepEqual(parseInstant('2024-01-01t00:00:00z'), { seconds: 1704067200, nanos: 0 });
  assert.deepEqual(parseInstant('1969-12-31T23:59:59.0000000019Z'), { seconds: -1, nanos: 1 });
  for (const text of ['2024-13-01T00:00:00Z', '2024-01-01', '2024-01-01T00:00:00', ' 2024-01-01T00:00:00Z'])
    assert.equal(parseInstant(text), undefined, text);
});
