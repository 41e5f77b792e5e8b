/** The flags with which `fairlead server` or `fairlead agent` runs on a machine where nobody has written them down: a lab, a container, by hand. */
import { readdir, readFile } from 'node:fs/promises';
import { environmentName } from '../../cli/command.ts';
import type { ServiceName } from './service.ts';

/** As variables; undefined for the command line of another program. Pure. */
export function flagsOf(commandLine: readonly string[], name: ServiceName): Readonly<Record<string, string>> | undefined {
  const at = commandLine.findIndex((word) => /(^|\/)fairlead(\.\w+)?$/.test(word));
  if (at < 0 || commandLine[at + 1] !== name) return undefined;
  const words = commandLine.slice(at + 2);
  const pairs = words.flatMap((word, i): [string, string][] => {
    const [, flag = '', value] = /^--([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (flag === '') return [];
    const next = words[i + 1];
    return [[environmentName(flag), value ?? (next === undefined || next.startsWith('--') ? 'true' : next)]];
  });
  return Object.fromEntries(pairs);
}

/** Of the first that is found among the processes of this machine, or of this container. */
export async function runningFlags(name: ServiceName): Promise<Readonly<Record<string, string>> | undefined> {
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const flags = flagsOf(text.split('\0').slice(0, -1), name);
    if (flags) return flags;
  }
  return undefined;
}
