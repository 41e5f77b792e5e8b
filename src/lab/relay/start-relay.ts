import { openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { start } from '../../linux/exec.ts';
import type { Hierarchy } from '../cgroups.ts';
import type { LabPlan } from '../plan.ts';
import { type ProcessId, readProcessId } from '../process-id.ts';

/** What the relay process is told, as JSON on its command line. */
export interface RelayConfig {
  /** Where nodes reach it. */
  readonly netns: string;
  readonly address: string;
  /** Ranges it never connects to. */
  readonly refused: readonly string[];
}

/** Starts the relay in the background, in the lab's cgroup, so that it is found again. */
export async function startRelay(hierarchies: readonly Hierarchy[], plan: LabPlan): Promise<ProcessId> {
  const logDir = join(plan.dir, 'relay');
  await mkdir(logDir, { recursive: true, mode: 0o700 });
  const log = openSync(join(logDir, 'relay.log'), 'w', 0o600);
  const config: RelayConfig = {
    netns: plan.underlayNetns,
    address: plan.relayAddress,
    refused: [plan.underlay.text, plan.pods.text, plan.services.text],
  };
  const cgroups = hierarchies.slice(0, 1).map((h) => join(h.path, plan.cgroup, 'relay', 'cgroup.procs'));
  const program = [process.execPath, join(import.meta.dirname, 'relay-process.ts'), JSON.stringify(config)];
  const enter = `${cgroups.map((file) => `echo 0 >'${file}' && `).join('')}exec "$@"`;
  const child = start('sh', ['-c', enter, 'relay', ...program], { cwd: '/', detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => {});
  child.unref();
  const id = child.pid === undefined ? undefined : await readProcessId(child.pid);
  if (!id) throw new KnownError('COMMAND_FAILED', 'Cannot start the relay: it ended at once', { hint: `See ${join(logDir, 'relay.log')}` });
  return id;
}
