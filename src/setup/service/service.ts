/**
 * What keeps `fairlead server` and `fairlead agent` running: units of systemd where it is PID 1 and the package has brought them, else a
 * process that starts them again. Both read their flags from `/etc/fairlead/NAME.env`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { KnownError } from '../../errors/known-error.ts';

export type ServiceName = 'server' | 'agent';
export type ServiceFlags = Readonly<Record<string, string>>;

export interface Keeper {
  isRunning(name: ServiceName): Promise<boolean>;
  /** Starts it, and lets it start with the machine where that can be. */
  start(name: ServiceName): Promise<void>;
  stop(name: ServiceName): Promise<void>;
  /** A command that shows its log. */
  logHint(name: ServiceName): string;
}

export const configDir = '/etc/fairlead';

export function envFile(name: ServiceName): string {
  return join(configDir, `${name}.env`);
}

/** `--node-ip` as `FAIRLEAD_NODE_IP`: lines that systemd and `readEnv` read alike, as every value is quoted. */
export function envText(flags: ServiceFlags): string {
  const lines = Object.entries(flags).map(([flag, value]) => {
    if (/[\n"\\$`]/.test(value))
      throw new KnownError('BAD_CONFIG', `Cannot write --${flag}="${value}" to a file of variables`, { hint: 'Leave out quotes and "$"' });
    return `FAIRLEAD_${flag.replaceAll('-', '_').toUpperCase()}="${value}"\n`;
  });
  return `# Written by "fairlead init" or "fairlead join"; every flag is a variable like these.\n${lines.join('')}`;
}

export function readEnv(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+)="?(.*?)"?$/gm)].map(([, name, value]) => [name, value]));
}

/** Whether the file had to change. */
export async function writeEnv(name: ServiceName, flags: ServiceFlags): Promise<boolean> {
  const text = envText(flags);
  if ((await readIfThere(envFile(name))) === text) return false;
  await mkdir(configDir, { recursive: true });
  await writeFile(envFile(name), text);
  return true;
}

/** Makes it run with these flags: starts it, or starts it again where they have changed. True when there was something to do. */
export async function ensureService(keeper: Keeper, name: ServiceName, flags: ServiceFlags): Promise<boolean> {
  const isChanged = await writeEnv(name, flags);
  const isRunning = await keeper.isRunning(name);
  if (isRunning && !isChanged) return false;
  if (isRunning) await keeper.stop(name);
  await keeper.start(name);
  return true;
}
