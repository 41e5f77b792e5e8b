/**
 * Names for the labs that tests start. They hold the test's process id, so that two runs on one machine do not meet; a lab that was left
 * when a run was killed is found by its record and ended by the next run.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateRoot } from '../plan.ts';
import { isAlive, type ProcessId, readProcessId } from '../process-id.ts';

const records = join(stateRoot, '.test-labs');

/** `short`, at most 4 characters, made this process's own: `e2e-2jk`. */
export function runName(short: string): string {
  return `${short}-${process.pid.toString(36)}`;
}

/** Notes that this process is going to start the lab. */
export async function recordLab(name: string, owner: number = process.pid): Promise<void> {
  await mkdir(records, { recursive: true, mode: 0o700 });
  await writeFile(join(records, name), JSON.stringify(await readProcessId(owner)));
}

/** The lab has ended. */
export async function forgetLab(name: string): Promise<void> {
  await rm(join(records, name), { force: true });
}

/** Labs whose test's process is not there any more. */
export async function abandonedLabs(): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(records).catch(() => [])) {
    const text = await readFile(join(records, name), 'utf8').catch(() => undefined);
    // Gone in between, or not written yet.
    if (!text) continue;
    if (!(await isAlive(JSON.parse(text) as ProcessId))) found.push(name);
  }
  return found;
}
