/**
 * The control groups of a lab: one directory per hierarchy and node. They bound what a node's processes are, and they are how
 * processes that outlived their records are found again.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import { KnownError, systemCode } from '../errors/known-error.ts';

/** A mounted cgroup hierarchy. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly path: string;
  /** v1: the controllers mounted together, such as `cpu,cpuacct`, or `name=systemd`. */
  readonly controllers: string;
}

/** Reads them from the text of /proc/self/mountinfo (proc(5)). */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', path = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (!path.startsWith('/sys/fs/cgroup') || root !== '/' || found.some((h) => h.path === path)) continue;
    if (type === 'cgroup2') found.push({ version: 2, path, controllers: '' });
    else if (type === 'cgroup') {
      const generic = new Set(['rw', 'ro', 'xattr', 'noprefix', 'clone_children', 'release_agent', 'seclabel']);
      const controllers = options.split(',').filter((o) => !generic.has(o.split('=')[0] ?? ''));
      found.push({ version: 1, path, controllers: controllers.join(',') });
    }
  }
  return found;
}

export async function readHierarchies(): Promise<Hierarchy[]> {
  const found = parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
  if (found.length === 0)
    throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot start nodes: no cgroup hierarchy is mounted under /sys/fs/cgroup', {
      hint: 'Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    });
  return found;
}

const wanted = ['cpu', 'memory', 'pids', 'cpuset', 'io', 'hugetlb'];

/** v2: lets children of `path` use the controllers it has. */
async function delegate(path: string): Promise<void> {
  const [have, on] = await Promise.all(
    ['cgroup.controllers', 'cgroup.subtree_control'].map(async (name) => (await readFile(join(path, name), 'utf8')).split(/\s+/)),
  );
  const missing = wanted.filter((c) => have?.includes(c) && !on?.includes(c));
  // One at a time: a controller that is busy elsewhere must not keep the others out.
  for (const c of missing) await writeFile(join(path, 'cgroup.subtree_control'), `+${c}`).catch(() => {});
}

async function makeOne(hierarchy: Hierarchy, parts: readonly string[]): Promise<string> {
  let path = hierarchy.path;
  for (const part of parts) {
    const parent = path;
    path = join(path, part);
    if (hierarchy.version === 2 && hierarchy.path === '/sys/fs/cgroup') await delegate(parent);
    await mkdir(path, { recursive: true });
    // A v1 cpuset takes no process before it has CPUs and memory nodes.
    if (hierarchy.version === 1 && hierarchy.controllers.split(',').includes('cpuset'))
      for (const file of ['cpuset.cpus', 'cpuset.mems']) await writeFile(join(path, file), await readFile(join(parent, file)));
  }
  return path;
}

/** Makes `LAB/NODE` in every hierarchy; gives the directories, into which a process is put by writing to `cgroup.procs`. */
export async function makeCgroups(hierarchies: readonly Hierarchy[], ...parts: readonly string[]): Promise<string[]> {
  return await Promise.all(hierarchies.map((hierarchy) => makeOne(hierarchy, parts)));
}

/** The controllers a v2 root passes on to its children: kept before a lab begins, to be put back after it. */
export async function readDelegated(hierarchies: readonly Hierarchy[]): Promise<string[] | undefined> {
  const root = hierarchies.find((h) => h.version === 2 && h.path === '/sys/fs/cgroup');
  if (!root) return undefined;
  return (await readFile(join(root.path, 'cgroup.subtree_control'), 'utf8')).split(/\s+/).filter(Boolean);
}

/** Takes back what a lab turned on. A controller that somebody else uses by now stays on (the kernel refuses). */
export async function restoreDelegated(before: readonly string[]): Promise<void> {
  const path = '/sys/fs/cgroup/cgroup.subtree_control';
  const now = (await readFile(path, 'utf8')).split(/\s+/).filter(Boolean);
  for (const c of now.filter((name) => !before.includes(name))) await writeFile(path, `-${c}`).catch(() => {});
}

async function below(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const nested = await Promise.all(entries.filter((e) => e.isDirectory()).map((e) => below(join(path, e.name))));
    return [...nested.flat(), path];
  } catch (err) {
    if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return [];
    throw err;
  }
}

/** Every process below a cgroup, in any hierarchy. */
export async function processesIn(hierarchies: readonly Hierarchy[], ...parts: readonly string[]): Promise<number[]> {
  const pids = new Set<number>();
  for (const hierarchy of hierarchies)
    for (const dir of await below(join(hierarchy.path, ...parts))) {
      const text = await readFile(join(dir, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n')) if (pid !== '' && pid !== '0') pids.add(Number(pid));
    }
  return [...pids];
}

/** How long killed processes may take to be gone: a node has some forty, and a machine may be slow or busy. */
export const endingMs = 30_000;

/** Removes the directories that it can. Gives one that still has processes. */
async function removeEmpty(paths: readonly string[]): Promise<string | undefined> {
  let busy: string | undefined;
  for (const dir of (await Promise.all(paths.map(below))).flat())
    try {
      await rmdir(dir);
    } catch (err) {
      const code = systemCode(err);
      if (code === 'EBUSY') busy = dir;
      else if (code !== 'ENOENT') throw err;
    }
  return busy;
}

/** Removes a cgroup and everything below it; waits for processes that are still ending. */
export async function removeCgroups(hierarchies: readonly Hierarchy[], clock: Clock, ...parts: readonly string[]): Promise<void> {
  const paths = hierarchies.map((hierarchy) => join(hierarchy.path, ...parts));
  const deadline = clock.monotonic() + endingMs;
  for (let busy = await removeEmpty(paths); busy !== undefined; busy = await removeEmpty(paths)) {
    if (clock.monotonic() > deadline)
      throw new KnownError('TIMED_OUT', `Cannot remove cgroup "${busy}": processes in it do not end`, {
        hint: `See ${join(busy, 'cgroup.procs')}`,
      });
    await clock.sleep(10);
  }
}
