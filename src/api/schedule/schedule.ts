/**
 * Cron expressions: `minute hour day-of-month month day-of-week`, `@hourly` and its like, `@every 1h30m`. Meaning and messages are those of
 * robfig/cron v3. A time that the clocks skip is not due on that day; a time that they repeat is due twice.
 */

import { parseDuration } from '../../clock/duration.ts';
import { knowsTimeZone, wallTime } from './wall-time.ts';

export class ScheduleError extends Error {}

/** Times are in ms since the epoch. */
export interface Schedule {
  /** The first due time after `after`; undefined when there is none within five years. */
  next(after: number): number | undefined;
  /** The last due time after `after` and up to `until`. Takes no longer when there were many. */
  latest(after: number, until: number): number | undefined;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fieldBounds: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: monthNames },
  { min: 0, max: 6, names: dayNames },
];
const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const everyPrefix = '@every ';
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const maxYears = 5;

/** The values that one field allows. `any` is true for `*` and `?`, with which only the other one of the two day fields decides. */
interface Field {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

/** `timeZone` is an IANA name; a zone in the expression (`TZ=Asia/Tokyo 0 9 * * *`) overrides it. Throws ScheduleError. */
export function parseSchedule(text: string, timeZone: string = 'UTC'): Schedule {
  if (text === '') throw new ScheduleError('empty spec string');
  const [, zone = timeZone, spec = text] = /^(?:CRON_)?TZ=(\S*) +(.*)$/s.exec(text) ?? [];
  if (!knowsTimeZone(zone)) throw new ScheduleError(`provided bad location ${zone}: unknown time zone ${zone}`);
  return parseUnzoned(spec, zone);
}

function parseUnzoned(text: string, timeZone: string): Schedule {
  if (text.startsWith(everyPrefix)) return every(text);
  const spec = text.startsWith('@') ? descriptors[text] : text;
  if (spec === undefined) throw new ScheduleError(`unrecognized descriptor: ${text}`);
  const parts = spec.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== fieldBounds.length) {
    throw new ScheduleError(`expected exactly ${fieldBounds.length} fields, found ${parts.length}: [${parts.join(' ')}]`);
  }
  const fields = parts.map((part, i) => fieldOf(part, fieldBounds[i] as Bounds));
  const next = (after: number): number | undefined => nextOf(fields, after, timeZone);
  return { next, latest: (after, until) => latestOf(next, after, until) };
}

/** `@every`: each due time is one interval after the time before. */
function every(text: string): Schedule {
  const duration = text.slice(everyPrefix.length);
  const ms = parseDuration(duration);
  if (ms === undefined) throw new ScheduleError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`);
  const step = Math.max(1000, ms - (ms % 1000));
  const next = (after: number): number => after + step - (after % 1000);
  const latest = (after: number, until: number): number | undefined => {
    const first = next(after);
    return first > until ? undefined : until - ((until - first) % step);
  };
  return { next, latest };
}

/** Finds the last due time by halving the interval that it must be in. */
function latestOf(next: Schedule['next'], after: number, until: number): number | undefined {
  const dueBy = (time: number | undefined): time is number => time !== undefined && time <= until;
  let latest = next(after);
  if (!dueBy(latest)) return undefined;
  for (let end = until; ; ) {
    const following = next(latest);
    if (!dueBy(following)) return latest;
    const middle = Math.floor((following + end) / 2);
    const later = next(middle);
    if (dueBy(later)) latest = later;
    else {
      latest = following;
      end = middle;
    }
  }
}

function nextOf(fields: readonly Field[], after: number, timeZone: string): number | undefined {
  if (fields.some((field) => field.values.size === 0)) return undefined;
  let at = Math.floor(after / minuteMs) * minuteMs + minuteMs;
  const lastYear = wallTime(timeZone, at).getUTCFullYear() + maxYears;
  for (;;) {
    const wall = wallTime(timeZone, at);
    if (wall.getUTCFullYear() > lastYear) return undefined;
    const step = stepOf(fields, wall, lastYear);
    if (step === undefined || step === 0) return step === undefined ? undefined : at;
    at += step;
  }
}

/** How many ms to skip before checking again; 0 when `wall` is due, undefined when no day up to `lastYear` is. */
function stepOf(fields: readonly Field[], wall: Date, lastYear: number): number | undefined {
  const [minutes, hours] = fields as [Field, Field];
  const [hour, minute] = [wall.getUTCHours(), wall.getUTCMinutes()];
  if (isDueDay(fields, wall)) {
    if (!hours.values.has(hour)) return hourMs - minute * minuteMs;
    return minutes.values.has(minute) ? 0 : minuteMs;
  }
  const days = daysUntil((day) => isDueDay(fields, day), wall, lastYear);
  if (days === undefined) return undefined;
  // Stop two hours before the due day: clocks are set forward by at most that much, and its first hour must not be skipped.
  const evening = 22 - hour;
  return (days - 1) * dayMs + (days === 1 ? Math.max(1, evening) : evening) * hourMs - minute * minuteMs;
}

/** If both the day of the month and the day of the week are restricted, one of them is enough. */
function isDueDay(fields: readonly Field[], wall: Date): boolean {
  const [, , days, months, weekdays] = fields as [Field, Field, Field, Field, Field];
  const [byDay, byWeekday] = [days.values.has(wall.getUTCDate()), weekdays.values.has(wall.getUTCDay())];
  return months.values.has(wall.getUTCMonth() + 1) && (days.any || weekdays.any ? byDay && byWeekday : byDay || byWeekday);
}

function daysUntil(fits: (wall: Date) => boolean, wall: Date, lastYear: number): number | undefined {
  const day = new Date(wall);
  for (let days = 1; day.getUTCFullYear() <= lastYear; days++) {
    day.setUTCDate(day.getUTCDate() + 1);
    if (fits(day)) return days;
  }
  return undefined;
}

function fieldOf(text: string, bounds: Bounds): Field {
  const values = new Set<number>();
  let any = false;
  for (const range of new Set(text.split(',').filter((one) => one !== ''))) {
    const found = rangeOf(range, bounds);
    any ||= found.any;
    for (let value = found.start; value <= found.end; value += found.step) values.add(value);
  }
  return { values, any };
}

function rangeOf(text: string, bounds: Bounds): { start: number; end: number; step: number; any: boolean } {
  const [range = '', stepText, ...more] = text.split('/');
  const { start, end, all, single } = limitsOf(range, text, bounds);
  if (more.length > 0) throw new ScheduleError(`too many slashes: ${text}`);
  const step = stepText === undefined ? 1 : numberOf(stepText, { min: 0, max: 0 });
  // `N/step` means from N on.
  const last = stepText !== undefined && single ? bounds.max : end;
  if (start < bounds.min) throw new ScheduleError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`);
  if (last > bounds.max) throw new ScheduleError(`end of range (${last}) above maximum (${bounds.max}): ${text}`);
  if (start > last) throw new ScheduleError(`beginning of range (${start}) beyond end of range (${last}): ${text}`);
  if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`);
  return { start, end: last, step, any: all && step === 1 };
}

function limitsOf(range: string, text: string, bounds: Bounds): { start: number; end: number; all: boolean; single: boolean } {
  const limits = range.split('-');
  const single = limits.length === 1;
  if (limits[0] === '*' || limits[0] === '?') return { start: bounds.min, end: bounds.max, all: true, single };
  if (limits.length > 2) throw new ScheduleError(`too many hyphens: ${text}`);
  const start = numberOf(limits[0] ?? '', bounds);
  return { start, end: single ? start : numberOf(limits[1] ?? '', bounds), all: false, single };
}

function numberOf(text: string, { min, names }: Bounds): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + min;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  }
  if (value < 0) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`);
  return value;
}
