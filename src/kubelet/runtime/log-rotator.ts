/** Keeps the logs of running containers small: past 10 MiB a log is put aside and the runtime opens a new one; five are kept. */
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../clock/clock.ts';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { ContainerRecord } from '../pod/pod-runtime.ts';
import { logIn, openLogDirectory } from './container-log.ts';

export interface LogRotatorOptions {
  readonly cri: Pick<Cri, 'reopenContainerLog'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The containers that run. */
  readonly running: () => readonly ContainerRecord[];
}

const periodMs = 10_000;
const maxBytes = 10 << 20;
const maxFiles = 5;

export class LogRotator {
  readonly #options: LogRotatorOptions;

  constructor(options: LogRotatorOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(periodMs, signal).catch(() => {});
      if (!signal.aborted) await this.rotateAll();
    }
  }

  async rotateAll(): Promise<void> {
    for (const record of this.#options.running()) {
      if (record.logPath === '') continue;
      try {
        await this.#look(record);
      } catch (err) {
        this.#options.log.debug(`Cannot rotate "${record.logPath}": ${messageOf(err)}`);
      }
    }
  }

  async #look({ id, logPath }: ContainerRecord): Promise<void> {
    await using directory = await openLogDirectory(logPath);
    const log = logIn(directory, logPath);
    const size = await sizeOf(log);
    // A kubelet that was killed in the midst of a rotation left the runtime writing into the file that was put aside.
    if (size === undefined) await this.#options.cri.reopenContainerLog(id);
    else if (size > maxBytes) await this.#rotate(id, log);
  }

  async #rotate(id: string, logPath: string): Promise<void> {
    const { cri, clock } = this.#options;
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
    const aside = `${logPath}.${stamp}`;
    // No folder is synced, as no line of a log is: at worst a power cut leaves both under the names of before.
    await rename(logPath, aside);
    try {
      await cri.reopenContainerLog(id);
    } catch (err) {
      // The runtime still writes into the old file: it must have its name, or its lines are lost to kubectl.
      await rename(aside, logPath);
      throw err;
    }
    const old = await putAside(logPath);
    for (const file of old.slice(0, Math.max(0, old.length - (maxFiles - 1)))) await rm(file, { force: true });
  }
}

/** Removes a container's log and what was put aside of it. */
export async function removeLog(logPath: string): Promise<void> {
  await using directory = await openLogDirectory(logPath).catch(() => undefined);
  // What lies behind a link is not the container's.
  if (!directory) return;
  const log = logIn(directory, logPath);
  for (const file of [log, ...(await putAside(log))]) await rm(file, { force: true });
}

/** What rotations have left of a log, oldest first. */
async function putAside(logPath: string): Promise<string[]> {
  const directory = dirname(logPath);
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => name.startsWith(`${basename(logPath)}.`))
    .sort()
    .map((name) => join(directory, name));
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await lstat(file)).size;
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    throw err;
  }
}
