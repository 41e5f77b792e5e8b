import { randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KnownError } from '../../errors/known-error.ts';
import { start } from '../../linux/exec.ts';
import type { Hierarchy } from '../cgroups.ts';
import type { LabPlan } from '../plan.ts';
import { type ProcessId, readProcessId } from '../process-id.ts';

/** What the relay process is told, as JSON on its command line. */
export interface RelayConfig {
  /** Of the lab. */
  readonly name: string;
  /** Where nodes reach it. */
  readonly netns: string;
  readonly address: string;
  /** The lab's ranges. */
  readonly lab: readonly string[];
  /** As `lab up --relay-allow`. */
  readonly allowed: string;
  /** Everybody can read a command line, so the credential is in a file of root's. */
  readonly credentialFile: string;
}

function relayDir(plan: LabPlan): string {
  return join(plan.dir, 'relay');
}

/** What a runtime must show the relay. Made once per lab: nodes and the relay are started again one without the other. */
export async function relayCredential(plan: LabPlan): Promise<string> {
  const file = join(relayDir(plan), 'credential');
  await mkdir(relayDir(plan), { recursive: true, mode: 0o700 });
  // Of two that make it at once, one does.
  await writeFile(file, `${randomBytes(24).toString('hex')}\n`, { flag: 'wx', mode: 0o600 }).catch(() => {});
  return (await readFile(file, 'utf8')).trim();
}

/** Runs it in the lab's cgroup, so that it is found again, and again whenever it ends. */
const keep = `echo 0 >"$0" || exit
while :; do
  "$@"
  echo "the relay ended with code $?, starting it again in a second"
  sleep 1
done`;

/** Starts the relay in the background. Gives the process that keeps it running. */
export async function startRelay(hierarchies: readonly Hierarchy[], plan: LabPlan): Promise<ProcessId> {
  await relayCredential(plan);
  const file = join(relayDir(plan), 'relay.log');
  const log = openSync(file, 'a', 0o600);
  const config: RelayConfig = {
    name: plan.options.name,
    netns: plan.underlayNetns,
    address: plan.relayAddress,
    lab: [plan.underlay.text, plan.pods.text, plan.services.text],
    allowed: plan.options.relayAllow,
    credentialFile: join(relayDir(plan), 'credential'),
  };
  const cgroup = join(hierarchies[0]?.path ?? '', plan.cgroup, 'relay', 'cgroup.procs');
  const program = [process.execPath, fileURLToPath(new URL('./relay-process.ts', import.meta.url)), JSON.stringify(config)];
  const child = start('sh', ['-c', keep, cgroup, ...program], { cwd: '/', detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => {});
  child.unref();
  const id = child.pid === undefined ? undefined : await readProcessId(child.pid);
  if (!id) throw new KnownError('COMMAND_FAILED', 'Cannot start the relay: it ended at once', { hint: `See ${file}` });
  return id;
}
