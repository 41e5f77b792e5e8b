/**
 * The cgroups of pods: /kubepods, one for each class of service, one for each pod, under the root that this process sees. Knows
 * version 1 (a hierarchy per controller) and version 2. The runtime makes those of containers, inside.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { systemCode } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { CgroupDriver, type RuntimeConfigResponse } from '../cri/messages.ts';
import type { PodResources } from '../pod/resources.ts';

interface Hierarchy {
  readonly path: string;
  /** Empty for version 2. */
  readonly controllers: readonly string[];
  /** Version 2 beside version 1: nothing is put there, but runc makes directories in it and leaves the pod's behind. */
  readonly idle?: true;
}

/** The hierarchies in a /proc/self/mountinfo; version 2 is used only when no controller is mounted the old way. */
export function hierarchiesOf(mountinfo: string): Hierarchy[] {
  const found: Hierarchy[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const path = left.split(' ')[4] ?? '';
    const [type, , options = ''] = right.split(' ');
    if (type === 'cgroup2') unified ??= path;
    if (type !== 'cgroup' || found.some((h) => h.path === path)) continue;
    const controllers = options.split(',').filter((o) => o !== 'rw' && o !== 'ro');
    found.push({ path, controllers });
  }
  if (unified === undefined) return found;
  return [...found, { path: unified, controllers: [], ...(found.length > 0 ? { idle: true } : {}) }];
}

const top = '/kubepods';
const parents = [top, `${top}/burstable`, `${top}/besteffort`];

export class CgroupManager {
  readonly #hierarchies: readonly Hierarchy[];

  constructor(hierarchies: readonly Hierarchy[]) {
    this.#hierarchies = hierarchies;
  }

  static async ofThisProcess(): Promise<CgroupManager> {
    return new CgroupManager(hierarchiesOf(await readFile('/proc/self/mountinfo', 'utf8')));
  }

  /** Makes the parents of all pods. */
  async prepare(): Promise<void> {
    for (const cgroup of parents)
      await this.createPod({ cgroup, cpuShares: cgroup.endsWith('besteffort') ? 2 : 1024, cpuQuota: 0, memoryLimit: 0 });
  }

  /** Makes a pod's cgroup, or gives it other values. */
  async createPod(resources: PodResources): Promise<void> {
    const used = this.#hierarchies.filter((h) => !h.idle);
    await Promise.all(
      used.map(async ({ path, controllers }) => {
        const dir = path + resources.cgroup;
        await mkdir(dir, { recursive: true });
        if (controllers.length === 0) await handDown(dir);
        const values = controllers.length === 0 ? valuesOfV2(resources) : valuesOfV1(resources, controllers);
        for (const [file, value] of values) await write(`${dir}/${file}`, String(value));
        if (controllers.includes('cpuset')) await inheritCpus(dir, path);
      }),
    );
  }

  /** Removes a pod's cgroup and what the runtime left in it. */
  async removePod(cgroup: string): Promise<void> {
    await Promise.all(this.#hierarchies.map(({ path }) => removeTree(path + cgroup)));
  }

  /** Removes the parents of all pods, and what is left in them. */
  async removeAll(): Promise<void> {
    await this.removePod(top);
  }

  /** The uids of pods that have a cgroup, with its path. */
  async pods(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const { path } of this.#hierarchies) {
      for (const parent of parents) {
        const entries = await readdir(path + parent).catch(() => []);
        for (const entry of entries) if (entry.startsWith('pod')) found.set(entry.slice(3), `${parent}/${entry}`);
      }
    }
    return found;
  }
}

function parentOf(dir: string): string {
  return dir.slice(0, dir.lastIndexOf('/'));
}

/** Pods are laid out as upstream's driver cgroupfs does. A runtime that was told of systemd takes their cgroups for malformed names of slices. */
export async function warnOfCgroupDriver(cri: Pick<Cri, 'runtimeConfig'>, log: Log): Promise<void> {
  // A runtime before CRI 1.28 does not say.
  const { linux } = await cri.runtimeConfig().catch((): RuntimeConfigResponse => ({}));
  if (linux?.cgroupDriver === CgroupDriver.SYSTEMD)
    log.warn(
      'The container runtime uses the cgroup driver systemd, the kubelet cgroupfs: no pod will start. Configure the runtime for cgroupfs',
    );
}

type Values = readonly (readonly [file: string, value: number | string])[];

/** Files and values of a pod's cgroup below the hierarchy of these controllers. */
export function valuesOfV1({ cpuShares, cpuQuota, memoryLimit }: PodResources, controllers: readonly string[]): Values {
  const cpu: Values = [['cpu.shares', cpuShares], ...(cpuQuota > 0 ? [['cpu.cfs_quota_us', cpuQuota] as const] : [])];
  const memory: Values = memoryLimit > 0 ? [['memory.limit_in_bytes', memoryLimit]] : [];
  return [...(controllers.includes('cpu') ? cpu : []), ...(controllers.includes('memory') ? memory : [])];
}

/** Shares of 2 to 262144 become weights of 1 to 10000, as runc and upstream convert them. */
export function valuesOfV2({ cpuShares, cpuQuota, memoryLimit }: PodResources): Values {
  return [
    ['cpu.weight', Math.floor(1 + ((cpuShares - 2) * 9999) / 262_142)],
    ...(cpuQuota > 0 ? [['cpu.max', `${cpuQuota} 100000`] as const] : []),
    ...(memoryLimit > 0 ? [['memory.max', memoryLimit] as const] : []),
  ];
}

/** Children may only use the controllers that their parent hands down; a kernel without one of them still runs pods. */
async function handDown(dir: string): Promise<void> {
  for (const c of ['cpu', 'memory', 'pids', 'cpuset', 'io']) await write(`${parentOf(dir)}/cgroup.subtree_control`, `+${c}`);
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch(() => {});
}

/** A new cpuset of version 1 is empty, and then takes no process. */
async function inheritCpus(dir: string, root: string): Promise<void> {
  if (parentOf(dir).length >= root.length && dir !== root) await inheritCpus(parentOf(dir), root);
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const own = await readFile(`${dir}/${file}`, 'utf8').catch(() => 'unknown');
    if (own.trim() === '') await write(`${dir}/${file}`, await readFile(`${parentOf(dir)}/${file}`, 'utf8').catch(() => ''));
  }
}

async function removeTree(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(`${dir}/${entry.name}`);
  await rmdir(dir).catch((err) => {
    if (systemCode(err) !== 'ENOENT' && systemCode(err) !== 'EBUSY') throw err;
  });
}
