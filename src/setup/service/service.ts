/**
 * What keeps `fairlead server` and `fairlead agent` running: units of systemd where it is PID 1 and the package has brought them, else a
 * process that starts them again. Both read their flags from `/etc/fairlead/NAME.env`.
 */
import { join } from 'node:path';
import { readIfThere, writeSecret } from '../../bootstrap/secret-file.ts';
import { environmentName } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import { makeFolder } from '../../linux/put-file.ts';

export type ServiceName = 'server' | 'agent';
export type ServiceFlags = Readonly<Record<string, string>>;

export interface Keeper {
  isRunning(name: ServiceName): Promise<boolean>;
  /** Starts it, and lets it start with the machine where that can be. */
  start(name: ServiceName): Promise<void>;
  stop(name: ServiceName): Promise<void>;
  /** What runs from now on is what is installed. */
  restart(name: ServiceName): Promise<void>;
  /** Why the server that it keeps cannot read a file of root's, where that is so. */
  hides(path: string): Promise<string | undefined>;
  /** A command that shows its log. */
  logHint(name: ServiceName): string;
}

/** Those that run. */
export async function runningServices(keeper: Keeper): Promise<ServiceName[]> {
  const all = ['server', 'agent'] as const;
  const found = await Promise.all(all.map((name) => keeper.isRunning(name)));
  return all.filter((_name, i) => found[i]);
}

export const configDir = '/etc/fairlead';

export function envFile(name: ServiceName): string {
  return join(configDir, `${name}.env`);
}

const ownFrom = '# What stands below this line is yours, and stays.\n';

/**
 * `--node-ip` as `FAIRLEAD_NODE_IP`: lines that systemd and `readEnv` read alike, as every value is quoted. `own` is what somebody has added,
 * who has the last word.
 */
export function envText(flags: ServiceFlags, own: string = ''): string {
  const lines = Object.entries(flags).map(([flag, value]) => {
    if (/[\n"\\$`]/.test(value))
      throw new KnownError('BAD_CONFIG', `Cannot write --${flag}="${value}" to a file of variables`, { hint: 'Leave out quotes and "$"' });
    return `${environmentName(flag)}="${value}"\n`;
  });
  return `# Written by "fairlead init" or "fairlead join"; every flag is a variable like these.\n${lines.join('')}${ownFrom}${own}`;
}

export function readEnv(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+)="?(.*?)"?$/gm)].map(([, name, value]) => [name, value]));
}

/** What was written for flags, if anything was, and what somebody has added, perhaps before. */
export function partsOf(text: string): { readonly written: string | undefined; readonly own: string } {
  const [written, own] = text.split(ownFrom);
  return own === undefined ? { written: undefined, own: text } : { written, own };
}

/** Flags that were written with another value, or not at all; none where nothing was written. */
export function changedFlags(text: string | undefined, flags: ServiceFlags): string[] {
  const { written } = partsOf(text ?? '');
  if (written === undefined) return [];
  const before = readEnv(written);
  return Object.keys(flags).filter((flag) => before[environmentName(flag)] !== flags[flag]);
}

/** Whether the file had to change. */
async function writeEnv(name: ServiceName, flags: ServiceFlags): Promise<boolean> {
  const before = await readIfThere(envFile(name));
  const text = envText(flags, partsOf(before ?? '').own);
  if (before === text) return false;
  makeFolder(configDir, 0o755);
  // The URL of a store may have a password in it.
  await writeSecret(envFile(name), text);
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
