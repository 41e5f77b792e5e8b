/** Durations and timestamps, besides what the package has of them. */
import type { Environment } from '@marcbachmann/cel-js';
import { celPackage } from '../cel.ts';
import { goTime } from './go-text.ts';
import { register } from './register.ts';

interface Span {
  readonly seconds: bigint;
  readonly nanos: number;
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};
/** A longer text is no length of time. */
export const longestDuration = 64;
const second = 1_000_000_000n;

/** Of a field with the format `duration`: as Go writes it, or as people say it: `1h30m`, `3 days`. */
export function durationFrom(json: unknown): unknown {
  const text = String(json).slice(0, longestDuration).trim();
  const Duration = durationClass();
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(/(\d*)(?:\.(\d*))?\s*([a-zµμ]+)/g)) {
    const of = unitOf(unit);
    nanos +=
      BigInt(whole || '0') * of + (BigInt((fraction || '0').slice(0, 18)) * of) / 10n ** BigInt((fraction || '0').slice(0, 18).length);
  }
  if (text.startsWith('-')) nanos = -nanos;
  return new Duration(nanos / second, Number(nanos % second));
}

function unitOf(text: string): bigint {
  if (Object.hasOwn(units, text)) return units[text] ?? 0n;
  const short = text.startsWith('micro') ? 'us' : text.startsWith('milli') ? 'ms' : text.startsWith('nano') ? 'ns' : text.slice(0, 1);
  return units[short] ?? 0n;
}

let known: (new (seconds: bigint, nanos: number) => Span) | undefined;

/** The package does not name it. */
function durationClass(): new (seconds: bigint, nanos: number) => Span {
  known ??= (celPackage().evaluate("duration('0s')") as object).constructor as new (seconds: bigint, nanos: number) => Span;
  return known;
}

/** As Go converts it to a text: in seconds. */
function durationText({ seconds, nanos }: Span): string {
  const all = seconds * second + BigInt(nanos);
  const size = all < 0n ? -all : all;
  const fraction = String(size % second)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${all < 0n ? '-' : ''}${size / second}${fraction === '' ? '' : `.${fraction}`}s`;
}

export function registerTimes(environment: Environment): void {
  const duration = 'google.protobuf.Duration';
  const timestamp = 'google.protobuf.Timestamp';
  const add = register(environment);
  add(`string(${duration}): string`, durationText);
  add(`string(${timestamp}): string`, goTime);
  add(`duration(${duration}): ${duration}`, (one: unknown) => one);
  add(`timestamp(${timestamp}): ${timestamp}`, (one: unknown) => one);
  add(`int(${timestamp}): int`, (date: Date) => BigInt(Math.floor(date.getTime() / 1000)));
}
