/** Local time in a time zone, and its offset from UTC. */

const formats = new Map<string, Intl.DateTimeFormat>();
const maxFormats = 512;

/** Local date and time at `at` (ms since the epoch), as the UTC fields of a Date. Throws RangeError for an unknown zone. */
export function wallTime(timeZone: string, at: number): Date {
  return new Date(at + offsetOf(timeZone, at));
}

export function knowsTimeZone(timeZone: string): boolean {
  try {
    formatOf(timeZone);
    return true;
  } catch {
    return false;
  }
}

/** Local time in RFC 3339, without fractions: `2026-07-01T09:00:00+02:00`. */
export function localTimestamp(timeZone: string, at: number): string {
  const offset = offsetOf(timeZone, at);
  const wall = wallTime(timeZone, at).toISOString().slice(0, 19);
  if (offset === 0) return `${wall}Z`;
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const [hh, mm] = [Math.floor(minutes / 60), minutes % 60].map((n) => String(n).padStart(2, '0'));
  return `${wall}${offset < 0 ? '-' : '+'}${hh}:${mm}`;
}

/** How many ms the zone is ahead of UTC at `at`. */
function offsetOf(timeZone: string, at: number): number {
  if (timeZone === 'UTC') return 0;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day, hour, minute, second } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  // There are few zones, but clients may spell one in many ways: "europe/BERLIN".
  if (formats.size >= maxFormats) formats.clear();
  formats.set(timeZone, made);
  return made;
}
