/** metav1.Time and MicroTime between JSON (RFC 3339) and protobuf (seconds and nanoseconds). */

export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/** `2008-01-01T01:01:01Z`; a Time has whole seconds. Undefined when the year cannot be written. */
export function formatTime(seconds: number): string | undefined {
  return isoOf(seconds)?.concat('Z');
}

/** `2008-01-01T01:01:01.000010Z`. */
export function formatMicroTime({ seconds, nanos }: Instant): string | undefined {
  return isoOf(seconds)?.concat('.', String(Math.floor(nanos / 1000)).padStart(6, '0'), 'Z');
}

function isoOf(seconds: number): string | undefined {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  const iso = date.toISOString();
  return iso.length === 24 ? iso.slice(0, 19) : undefined;
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
