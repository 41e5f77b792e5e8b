/** Images of somebody's own in the nodes of a lab, also in those that join or are started again later. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { mustRun, start } from '../../linux/exec.ts';
import type { LabContext } from '../down.ts';
import { allNamespaces, nodeEnvironment } from '../exec.ts';
import type { LabPlan } from '../plan.ts';
import type { ProcessId } from '../process-id.ts';
import type { Tools } from '../tools.ts';
import { readArchive } from './archive.ts';
import { snapshotterFor } from './snapshotter.ts';

function keptDir(plan: LabPlan): string {
  return join(plan.dir, 'images');
}

/** Has a node's containerd read an archive from its standard input, as the file is out of the node's sight. */
async function importInto(tools: Tools, plan: LabPlan, node: string, { pid }: ProcessId, archive: string): Promise<void> {
  await using file = await open(archive, 'r');
  const command = ['ctr', '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', await snapshotterFor(plan.dir), '-'];
  const child = start(tools.nsenter, [`--target=${pid}`, ...allNamespaces, '--', ...command], {
    stdio: [file.fd, 'ignore', 'pipe'],
    env: nodeEnvironment('worker'),
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code === 0) return;
  const why = said.trim().split('\n').at(-1) ?? '';
  throw new KnownError('COMMAND_FAILED', `Cannot load the images into node "${node}": ${why}`, {
    ...(why.includes('platform') ? { hint: `They must be of this machine's processor: linux/${process.arch}` } : {}),
  });
}

async function importEverywhere(tools: Tools, plan: LabPlan, nodes: ReadonlyMap<string, ProcessId>, archive: string): Promise<void> {
  await Promise.all([...nodes].map(([node, id]) => importInto(tools, plan, node, id, archive)));
}

/**
 * Loads what is at `path` into the nodes, and keeps it for those that are started later. Gives the full names. Throws USAGE,
 * BAD_CONFIG and COMMAND_FAILED.
 */
export async function loadImages(
  { exec, tools }: LabContext,
  plan: LabPlan,
  nodes: ReadonlyMap<string, ProcessId>,
  path: string,
  as: string | undefined,
): Promise<readonly string[]> {
  await mkdir(keptDir(plan), { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(keptDir(plan), 'new-'));
  try {
    const archive = await readArchive(exec, tools, path, as, scratch);
    await importEverywhere(tools, plan, nodes, archive.file);
    const kept = join(scratch, 'kept.tar');
    if (archive.file.startsWith(`${scratch}/`)) await rename(archive.file, kept);
    else await mustRun(exec, tools.cp, ['--reflink=auto', archive.file, kept]);
    // Loaded again under the same names, it takes the place of what was there.
    const name = createHash('sha256').update(archive.names.toSorted().join(' ')).digest('hex').slice(0, 16);
    await rename(kept, join(keptDir(plan), `${name}.tar`));
    return archive.names;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Gives nodes that have just been started what was loaded before. */
export async function loadKept({ tools, progress }: LabContext, plan: LabPlan, nodes: ReadonlyMap<string, ProcessId>): Promise<void> {
  const kept = (await readdir(keptDir(plan)).catch(() => [])).filter((name) => name.endsWith('.tar'));
  if (kept.length === 0 || nodes.size === 0) return;
  await progress.step(`Loaded ${kept.length === 1 ? 'an archive' : `${kept.length} archives`} of images again`, async () => {
    for (const name of kept) await importEverywhere(tools, plan, nodes, join(keptDir(plan), name));
  });
}
