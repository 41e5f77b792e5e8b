/** A process of a lab that runs on the machine itself, beside the nodes, and is started again whenever it ends. */
import { openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { start } from '../linux/exec.ts';
import { type Hierarchy, makeCgroups } from './cgroups.ts';
import type { LabPlan } from './plan.ts';
import { type ProcessId, readProcessId } from './process-id.ts';

/** Runs it in the lab's cgroup, so that it is found again. */
const keep = `name="$0"
echo 0 >"$1" || exit
shift
while :; do
  "$@"
  echo "the $name ended with code $?, starting it again in a second"
  sleep 1
done`;

/** Starts it in the background, its log in a directory of its name. Gives the process that keeps it running. */
export async function startKept(
  hierarchies: readonly Hierarchy[],
  plan: LabPlan,
  name: 'relay' | 'balancer',
  command: readonly string[],
): Promise<ProcessId> {
  const [cgroup = ''] = await makeCgroups(hierarchies.slice(0, 1), plan.cgroup, name);
  const dir = join(plan.dir, name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, `${name}.log`);
  const log = openSync(file, 'a', 0o600);
  const args = ['-c', keep, name, join(cgroup, 'cgroup.procs'), ...command];
  const child = start('sh', args, { cwd: '/', detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => {});
  child.unref();
  const id = child.pid === undefined ? undefined : await readProcessId(child.pid);
  if (!id) throw new KnownError('COMMAND_FAILED', `Cannot start the ${name}: it ended at once`, { hint: `See ${file}` });
  return id;
}
