import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from './schedule.ts';
import { localTimestamp } from './wall-time.ts';

const ms = (text: string): number => Date.parse(text.replace(' ', 'T'));
const text = (at: number | undefined): string => (at === undefined ? 'never' : new Date(at).toISOString().slice(0, 16).replace('T', ' '));

function times(schedule: string, zone: string, after: string, count: number): string[] {
  const found: string[] = [];
  for (let at: number | undefined = ms(after); found.length < count && at !== undefined; ) {
    at = parseSchedule(schedule, zone).next(at);
    found.push(text(at));
  }
  return found;
}

/** What robfig/cron v3.0.1 answers. */
const due: readonly [string, string, string, string, readonly string[]][] = [
  ['every minute', '* * * * *', 'UTC', '2026-01-01 00:00:30Z', ['2026-01-01 00:01', '2026-01-01 00:02']],
  ['not now, but next', '0 * * * *', 'UTC', '2026-01-01 01:00:00Z', ['2026-01-01 02:00']],
  [
    'lists, ranges and steps',
    '5,10-20/5 8-10/2 * * *',
    'UTC',
    '2026-01-01 08:12:00Z',
    ['2026-01-01 08:15', '2026-01-01 08:20', '2026-01-01 10:05'],
  ],
  ['N/step goes on to the end', '50/5 * * * *', 'UTC', '2026-01-01 00:50:00Z', ['2026-01-01 00:55', '2026-01-01 01:50']],
  ['names', '0 0 * feb-MAR Mon', 'UTC', '2026-01-01 00:00:00Z', ['2026-02-02 00:00', '2026-02-09 00:00']],
  ['day of month or of week', '0 0 13 * 5', 'UTC', '2026-03-07 00:00:00Z', ['2026-03-13 00:00', '2026-03-20 00:00']],
  ['day of month and of week when one is *', '0 0 13 * ?', 'UTC', '2026-03-07 00:00:00Z', ['2026-03-13 00:00', '2026-04-13 00:00']],
  ['a step of days is no *', '0 0 */30 * 5', 'UTC', '2026-03-20 12:00:00Z', ['2026-03-27 00:00', '2026-03-31 00:00']],
  ['a leap day', '0 0 29 2 *', 'UTC', '2026-01-01 00:00:00Z', ['2028-02-29 00:00', '2032-02-29 00:00']],
  ['a day that never comes', '0 0 31 2 *', 'UTC', '2026-01-01 00:00:00Z', ['never']],
  ['a field of nothing', ', * * * *', 'UTC', '2026-01-01 00:00:00Z', ['never']],
  ['@weekly', '@weekly', 'UTC', '2026-01-01 00:00:00Z', ['2026-01-04 00:00']],
  ['@every counts from the last time', '@every 1h30m', 'UTC', '2026-01-01 00:10:00Z', ['2026-01-01 01:40', '2026-01-01 03:10']],
  ['a time zone', '0 9 * * *', 'Asia/Kolkata', '2026-01-01 00:00:00Z', ['2026-01-01 03:30', '2026-01-02 03:30']],
  ['a time zone in the expression', 'TZ=Asia/Tokyo 0 9 * * *', 'UTC', '2026-01-01 01:00:00Z', ['2026-01-02 00:00']],
  ['the hour that clocks skip', '30 2 * * *', 'America/New_York', '2026-03-07 12:00:00Z', ['2026-03-09 06:30']],
  [
    'the hour that clocks repeat',
    '30 1 * * *',
    'America/New_York',
    '2026-11-01 00:00:00Z',
    ['2026-11-01 05:30', '2026-11-01 06:30', '2026-11-02 06:30'],
  ],
  ['the midnight that clocks skip', '0 0 * * *', 'Africa/Cairo', '2026-04-23 12:00:00Z', ['2026-04-24 21:00']],
  ['a midnight after clocks went two hours forward', '5 0 30 3 *', 'Antarctica/Troll', '2026-03-28 00:00:00Z', ['2026-03-29 22:05']],
];

for (const [name, schedule, zone, after, wanted] of due) {
  test(`next(): ${name}`, () => assert.deepEqual(times(schedule, zone, after, wanted.length), wanted));
}

const refused: readonly [string, string][] = [
  ['', 'empty spec string'],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['@often', 'unrecognized descriptor: @often'],
  [' @hourly', 'expected exactly 5 fields, found 1: [@hourly]'],
  ['60 * * * *', 'end of range (60) above maximum (59): 60'],
  ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
  ['* 5-1 * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
  ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
  ['* * * foo *', 'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax'],
  ['*/-1 * * * *', 'negative number (-1) not allowed: -1'],
  ['TZ=Mars/Base * * * * *', 'provided bad location Mars/Base: unknown time zone Mars/Base'],
  ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ['@every 3000000h', 'failed to parse duration @every 3000000h: time: invalid duration "3000000h"'],
];

for (const [schedule, message] of refused)
  test(`parseSchedule() refuses "${schedule}"`, () => assert.throws(() => parseSchedule(schedule), { message }));

test('parseSchedule() reads what is made to be slow, quickly', () => {
  const before = process.cpuUsage();
  assert.throws(() => parseSchedule(`@every ${'1'.repeat(500_000)}`));
  assert.throws(() => parseSchedule(`${'TZ=UTC '.repeat(100_000)}* * * * *`));
  parseSchedule(`${'*,'.repeat(500_000)}1 * * * *`);
  parseSchedule('0 0 31 2 *', 'Europe/Berlin').next(0);
  assert.ok(process.cpuUsage(before).user < 5_000_000);
});

const latest: readonly [string, string, string, string, string][] = [
  ['nothing since', '0 * * * *', '2026-01-01 01:00:00Z', '2026-01-01 01:59:59Z', 'never'],
  ['the only one', '0 * * * *', '2026-01-01 01:00:00Z', '2026-01-01 02:00:00Z', '2026-01-01 02:00'],
  ['the last of a million', '* * * * *', '2020-01-01 00:00:00Z', '2026-01-01 02:00:30Z', '2026-01-01 02:00'],
  ['the last of a burst', '* 3 1 1 *', '2024-06-01 00:00:00Z', '2026-09-01 00:00:00Z', '2026-01-01 03:59'],
  ['in the step of the first', '@every 7m', '2026-01-01 00:01:00Z', '2026-01-01 01:59:00Z', '2026-01-01 01:53'],
];

for (const [name, schedule, after, until, wanted] of latest) {
  test(`latest(): ${name}`, () => assert.equal(text(parseSchedule(schedule).latest(ms(after), ms(until))), wanted));
}

test('each month, each day of the week and each descriptor has its name', () => {
  const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
  for (const [i, name] of months.entries()) {
    const [at] = times(`0 0 1 ${name} *`, 'UTC', '2025-12-31 00:00:00Z', 1);
    assert.equal(at, `2026-${String(i + 1).padStart(2, '0')}-01 00:00`);
  }
  for (const [i, name] of ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].entries()) {
    // The fourth of January 2026 is a Sunday.
    assert.deepEqual(times(`0 0 * * ${name}`, 'UTC', '2026-01-03 12:00:00Z', 1), [`2026-01-${String(4 + i).padStart(2, '0')} 00:00`]);
  }
  const due = { yearly: '2027-01-01 00:00', annually: '2027-01-01 00:00', monthly: '2026-02-01 00:00', weekly: '2026-01-04 00:00' };
  const soon = { daily: '2026-01-03 00:00', midnight: '2026-01-03 00:00', hourly: '2026-01-02 13:00' };
  for (const [name, at] of Object.entries({ ...due, ...soon })) assert.deepEqual(times(`@${name}`, 'UTC', '2026-01-02 12:00:00Z', 1), [at]);
});

test('a time is written with the offset of its zone', () => {
  const at = Date.UTC(2026, 6, 1, 12, 0, 0, 999);
  assert.equal(localTimestamp('UTC', at), '2026-07-01T12:00:00Z');
  assert.equal(localTimestamp('Europe/Berlin', at), '2026-07-01T14:00:00+02:00');
  assert.equal(localTimestamp('Asia/Kathmandu', at), '2026-07-01T17:45:00+05:45');
  assert.equal(localTimestamp('America/St_Johns', at), '2026-07-01T09:30:00-02:30');
});
