/** The log of a process, and the flags for it. */
import type { OptionSpec } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { createLog, type LogFormat, type LogLevel, LogThreshold } from '../observability/stream-log.ts';

/** Of every process that runs on. */
export const logFlags: Readonly<Record<'log-level' | 'log-format', OptionSpec>> = {
  'log-level': { type: 'string', default: 'info', choices: ['debug', 'info', 'warn', 'error'], help: 'what is worth a line' },
  'log-format': { type: 'string', default: 'text', choices: ['text', 'json'], help: 'for people or for programs' },
};

/** Upstream's verbosity from this on is for those who look for a fault. */
const debugVerbosity = 4;

/** Whether a log of upstream's verbosity says all that there is. */
export function isDebug(verbosity: number): boolean {
  return verbosity >= debugVerbosity;
}

export interface LogChoice {
  readonly isDebug?: boolean;
  readonly format?: LogFormat;
}

/** The log that these flags describe, whose threshold may be moved; what `chosen` says holds instead. */
export function processLog(level: string, format: string, { isDebug: isAll = false, ...chosen }: LogChoice = {}): [Log, LogThreshold] {
  const threshold = new LogThreshold(level as LogLevel);
  threshold.isDebug = isAll;
  return [createLog({ format: format as LogFormat, ...chosen, level: threshold, clock: systemClock }), threshold];
}
