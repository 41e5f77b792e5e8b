/** A log that writes one line per entry, for people or as JSON. */
import { writeSync } from 'node:fs';
import type { Clock } from '../clock/clock.ts';
import type { Log } from './log.ts';

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;

export type LogLevel = keyof typeof levels;
export type LogFormat = 'text' | 'json';

/** The least that a log says, which may become another one while it is written to. */
export class LogThreshold {
  readonly #usual: LogLevel;
  /** Whether it says all that there is, for who looks for a fault. */
  isDebug = false;

  constructor(usual: LogLevel) {
    this.#usual = usual;
  }

  get level(): LogLevel {
    return this.isDebug ? 'debug' : this.#usual;
  }
}

export interface LogOptions {
  readonly level?: LogLevel | LogThreshold;
  /** `text` is one line for people with `key=value` fields, `json` one object per line. */
  readonly format?: LogFormat;
  readonly clock: Pick<Clock, 'now'>;
  /** Takes whole lines; standard error by default, written synchronously so that the last words of a process are not lost. */
  readonly write?: (line: string) => void;
}

function toStandardError(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // A full pipe or a closed terminal must not end a control plane.
  }
}

function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === 'bigint' ? String(value) : value;
  const cause = value.cause instanceof Error ? `: ${value.cause.message}` : '';
  return `${value.message}${cause}`;
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, (_key, v) => plain(v)) ?? String(value));
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function textLine(time: string, level: LogLevel, msg: string, fields: object): string {
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${quoted(plain(value))}`);
  return `${time} ${level.toUpperCase().padEnd(5)} ${msg.replaceAll('\n', '\\n')}${rest.join('')}\n`;
}

function jsonLine(time: string, level: LogLevel, msg: string, fields: object): string {
  return `${JSON.stringify({ time, level, msg, ...fields }, (_key, value) => plain(value))}\n`;
}

/** The log of a process: one line per event, cheap when the level is below the threshold. */
export function createLog(options: LogOptions): Log {
  const { level: least = 'info' } = options;
  const render = options.format === 'json' ? jsonLine : textLine;
  const write = options.write ?? toStandardError;
  const bound = (base: object): Log => {
    const say = (level: LogLevel, msg: string, fields: object | undefined): void => {
      if (levels[level] < levels[typeof least === 'string' ? least : least.level]) return;
      write(render(new Date(options.clock.now()).toISOString(), level, msg, fields === undefined ? base : { ...base, ...fields }));
    };
    return {
      debug: (msg, fields) => say('debug', msg, fields),
      info: (msg, fields) => say('info', msg, fields),
      warn: (msg, fields) => say('warn', msg, fields),
      error: (msg, fields) => say('error', msg, fields),
      child: (fields) => bound({ ...base, ...fields }),
    };
  };
  return bound({});
}
