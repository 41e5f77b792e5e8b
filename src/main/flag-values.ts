/** Flags as the values they stand for: what is wrong is said before anything is started, in the words of the flag. */
import { networkInterfaces } from 'node:os';
import { parseDuration } from '../clock/duration.ts';
import { KnownError } from '../errors/known-error.ts';
import { isIp, parseCidr } from '../ip/ip.ts';

function refuse(flag: string, text: string, why: string, example: string): KnownError {
  return new KnownError('USAGE', `Cannot use --${flag}="${text}": ${why}`, { hint: `Write it as --${flag}=${example}` });
}

/** A whole number from `min` to `max`. Throws USAGE. */
export function numberFlag(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw refuse(flag, text, `it is no number from ${min} to ${max}`, String(min));
  return value;
}

/** Whole seconds of a duration as Go writes it, such as `48h`, from `min` to `max`, or 0. Throws USAGE. */
export function durationFlag(flag: string, text: string, min: number, max: number): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw refuse(flag, text, 'it is no duration', '48h');
  const seconds = Math.floor(ms / 1000);
  if ((seconds < min || seconds > max) && ms !== 0) throw refuse(flag, text, `it is not between ${min} and ${max} seconds`, '48h');
  return seconds;
}

/** Words with commas between them, or none. */
export function listFlag(text: string): string[] {
  return text.split(',').filter(Boolean);
}

export function portFlag(flag: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= 65_535)) throw refuse(flag, text, 'it is no port', '6443');
  return value;
}

export function cidrFlag(flag: string, text: string): string {
  if (!text.includes('/') || !parseCidr(text)) throw refuse(flag, text, 'it is no range of addresses', '10.96.0.0/16');
  return text;
}

/** Ranges with commas between them, or none. */
export function cidrsFlag(flag: string, text: string): string {
  for (const part of listFlag(text)) cidrFlag(flag, part);
  return text;
}

/** A regular expression, as text. Throws USAGE. */
export function regexFlag(flag: string, text: string): string {
  try {
    new RegExp(text);
    return text;
  } catch {
    throw refuse(flag, text, 'it is no regular expression', '^eth');
  }
}

/** An address; what is left out or, where that means something, empty stays so. */
export function ipFlag<T extends string | undefined>(flag: string, text: T): T {
  if (text && !isIp(text)) throw refuse(flag, text, 'it is no address', '192.0.2.10');
  return text;
}

/** The address others reach this machine at, when a server listens on all of them. Throws USAGE when there is none. */
export function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address, family, internal } of addresses ?? []) if (family === 'IPv4' && !internal) return address;
  throw new KnownError('USAGE', 'Cannot tell under which address the cluster reaches this server: the machine has none but loopback', {
    hint: 'Give one with --advertise-address',
  });
}
