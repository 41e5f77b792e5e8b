/** Times as the API writes them: RFC 3339 in UTC, in whole seconds (metav1.Time) or in microseconds (metav1.MicroTime). */

export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/** metav1.Time of milliseconds since the epoch, such as `2008-01-01T01:01:01Z`: what is less than a second is cut off. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime of milliseconds since the epoch, such as `2008-01-01T01:01:01.000010Z`. */
export function microTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}

/** A metav1.Time; undefined when the year does not have four digits. */
export function formatTime({ seconds }: Instant): string | undefined {
  return hasFourDigitYear(seconds) ? timestamp(seconds * 1000) : undefined;
}

/** A metav1.MicroTime; undefined when the year does not have four digits. */
export function formatMicroTime({ seconds, nanos }: Instant): string | undefined {
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
  return formatTime({ seconds, nanos })?.replace('Z', `.${micros}Z`);
}

const yearZero = Date.parse('0000-01-01T00:00:00Z') / 1000;
const year10000 = Date.UTC(10_000, 0) / 1000;

function hasFourDigitYear(seconds: number): boolean {
  return seconds >= yearZero && seconds < year10000;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Parses RFC 3339; undefined when the text is none. */
export function parseInstant(text: string): Instant | undefined {
  const m = rfc3339.exec(text);
  if (!m) return undefined;
  const whole = m[1] ? text.replace(m[1], '') : text;
  const ms = Date.parse(whole);
  if (Number.isNaN(ms)) return undefined;
  return { seconds: Math.floor(ms / 1000), nanos: m[1] ? Number(m[1].slice(1, 10).padEnd(9, '0')) : 0 };
}
