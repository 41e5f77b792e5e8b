/** The log of a process, and the flags for it. */
import type { OptionSpec } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { createLog, type LogFormat, type LogLevel } from '../observability/stream-log.ts';

/** Of every process that runs on. */
export const logFlags: Readonly<Record<'log-level' | 'log-format', OptionSpec>> = {
  'log-level': { type: 'string', default: 'info', choices: ['debug', 'info', 'warn', 'error'], help: 'what is worth a line' },
  'log-format': { type: 'string', default: 'text', choices: ['text', 'json'], help: 'for people or for programs' },
};

export interface LogChoice {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
}

/** The log that these flags describe; what `chosen` says holds instead. */
export function processLog(level: string, format: string, chosen: LogChoice = {}): Log {
  return createLog({ level: level as LogLevel, format: format as LogFormat, ...chosen, clock: systemClock });
}
