import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import { start } from '../../linux/exec.ts';
import { envFile, type Keeper, readEnv, type ServiceName } from './service.ts';

const runDir = '/run/fairlead';
const logDir = '/var/log/fairlead';

/** Starts it again whenever it ends, a second later; its own process group, so that one signal ends both. */
const script = 'while :; do "$@"; sleep 1; done';

/** How long it may take to end what it does. */
const graceMs = 20_000;

/** Where there is no systemd: a shell that starts the service again when it ends. It does not outlive the machine's end. */
export class ProcessKeeper implements Keeper {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It runs as the command that starts it does. */
  async hides(): Promise<undefined> {
    return undefined;
  }

  async isRunning(name: ServiceName): Promise<boolean> {
    return (await groupOf(name)) !== undefined;
  }

  async start(name: ServiceName): Promise<void> {
    await Promise.all([mkdir(runDir, { recursive: true, mode: 0o755 }), mkdir(logDir, { recursive: true, mode: 0o750 })]);
    const env = readEnv((await readIfThere(envFile(name))) ?? '');
    const log = openSync(join(logDir, `${name}.log`), 'a', 0o640);
    try {
      // As this very command was started, whether from a checkout or from the package.
      const command = [process.execPath, ...process.execArgv, process.argv[1] ?? '', name];
      const child = start('sh', ['-c', script, mark(name), ...command], {
        cwd: '/',
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...withoutOwn(process.env), ...env },
      });
      if (child.pid === undefined)
        throw new KnownError('TOOL_MISSING', `Cannot start "fairlead ${name}": there is no shell`, { hint: 'Is "sh" on the path?' });
      child.unref();
      await writeFile(pidFile(name), String(child.pid));
    } finally {
      closeSync(log);
    }
  }

  async stop(name: ServiceName): Promise<void> {
    const group = await groupOf(name);
    if (group !== undefined) {
      const deadline = this.#clock.monotonic() + graceMs;
      for (let signal: NodeJS.Signals | 0 = 'SIGTERM'; send(group, signal); signal = this.#clock.monotonic() > deadline ? 'SIGKILL' : 0)
        await this.#clock.sleep(50);
    }
    await rm(pidFile(name), { force: true });
  }

  async restart(name: ServiceName): Promise<void> {
    await this.stop(name);
    await this.start(name);
  }

  logHint(name: ServiceName): string {
    return `less ${join(logDir, `${name}.log`)}`;
  }
}

function pidFile(name: ServiceName): string {
  return join(runDir, `${name}.pid`);
}

/** By what the shell is recognised: a number may be another process's by now. */
function mark(name: ServiceName): string {
  return `fairlead-${name}`;
}

async function groupOf(name: ServiceName): Promise<number | undefined> {
  const pid = Number((await readIfThere(pidFile(name))) ?? '');
  if (!(pid > 0)) return undefined;
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return words.includes(mark(name)) ? pid : undefined;
}

/** Whether anybody of the group was there to get it. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (err) {
    if (systemCode(err) === 'ESRCH') return false;
    throw err;
  }
}

/** What was set for this command is not meant for the service. */
function withoutOwn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('FAIRLEAD_')));
}
