/**
 * `minute hour day-of-month month day-of-week`, `@hourly` and its kin, `@every 1h30m`; meaning and messages are those of robfig/cron v3.
 * A time that the clocks skip is not due that day, one that they repeat is due twice.
 */

import { parseDuration } from '../../clock/duration.ts';
import { knowsTimeZone, wallTime } from './wall-time.ts';

export class ScheduleError extends Error {}

/** Times are in ms since the epoch. */
export interface Schedule {
  /** The first time after `after` at which it is due. Undefined: not within five years. */
  next(after: number): number | undefined;
  /** The last time after `after`, and not after `until`, at which it was due; quick however many there were. */
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

/** What one field allows; `any` for `*` and `?`, which leave the day to the other of the two day fields. */
interface Field {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

/** `timeZone` is an IANA name; one in the expression (`TZ=Asia/Tokyo 0 9 * * *`) goes first. Throws ScheduleError. */
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

/** Each time a step after the time before. */
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

/** Halves the time that it may be in. */
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

/** How far to go on from a moment before the next look; 0 when it is due, undefined when no day will be. */
function stepOf(fields: readonly Field[], wall: Date, lastYear: number): number | undefined {
  const [minutes, hours] = fields as [Field, Field];
  const [hour, minute] = [wall.getUTCHours(), wall.getUTCMinutes()];
  if (isDueDay(fields, wall)) {
    if (!hours.values.has(hour)) return hourMs - minute * minuteMs;
    return minutes.values.has(minute) ? 0 : minuteMs;
  }
  const days = daysUntil((day) => isDueDay(fields, day), wall, lastYear);
  if (days === undefined) return undefined;
  // To two hours before midnight: clocks are set forward by no more, and the first hour of the day must not be missed.
  const evening = 22 - hour;
  return (days - 1) * dayMs + (days === 1 ? Math.max(1, evening) : evening) * hourMs - minute * minuteMs;
}

/** Of a day of the month and one of the week either is enough, unless one of them is any day. */
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
