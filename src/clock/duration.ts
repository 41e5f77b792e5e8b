/** Durations as Go writes and reads them (time.Duration.String, time.ParseDuration), for fields and flags of upstream's. */

const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Go counts nanoseconds in 64 bits: 292 years. */
const maxMs = 2 ** 63 / 1e6;

/** Milliseconds of a duration such as `1h30m` or `-1.5s`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text);
  if (!match) return undefined;
  let ms = 0;
  for (const [, amount, unit = ''] of (match[2] ?? '').matchAll(/([\d.]+)(\D+)/g)) ms += Number(amount) * (units[unit] ?? 0);
  if (ms >= maxMs) return undefined;
  return match[1] === '-' ? -ms : ms;
}

/** `300ms`, `10s`, `1m20s`, `5m0s`, `1h0m0s`: whole milliseconds. */
export function formatDuration(ms: number): string {
  const size = Math.abs(ms);
  const sign = ms < 0 ? '-' : '';
  if (size > 0 && size < 1000) return `${sign}${size}ms`;
  const minutes = Math.floor(size / 60_000);
  const seconds = `${(size % 60_000) / 1000}s`;
  if (minutes === 0) return `${sign}${seconds}`;
  const hours = Math.floor(minutes / 60);
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${seconds}`;
}
