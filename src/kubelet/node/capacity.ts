/** What this machine has, from /proc and the file system. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';
import type { NodeSystemInfo } from '../../api/schema/types.ts';
import { gitVersion } from '../../observability/version.ts';

const maxPods = 110;

export interface Machine {
  readonly capacity: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
  readonly info: Omit<NodeSystemInfo, 'containerRuntimeVersion'>;
}

/** `MemTotal` and the like of a /proc/meminfo, in bytes. */
export function parseMeminfo(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^(\S+):\s+(\d+) kB$/gm)].map((m) => [m[1] ?? '', Number(m[2]) * 1024]));
}

async function firstLine(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n')[0]?.trim() ?? '';
}

export async function readMachine(rootDir: string): Promise<Machine> {
  const meminfo = parseMeminfo(await readFile('/proc/meminfo', 'utf8'));
  const memoryBytes = meminfo.get('MemTotal') ?? 0;
  const disk = await statfs(rootDir);
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const pretty = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux';
  return {
    capacity: {
      cpu: String(availableParallelism()),
      memory: `${Math.floor(memoryBytes / 1024)}Ki`,
      pods: String(maxPods),
      'ephemeral-storage': `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
      'hugepages-2Mi': '0',
      'hugepages-1Gi': '0',
    },
    memoryBytes,
    info: {
      machineID: await firstLine('/etc/machine-id'),
      systemUUID: (await firstLine('/sys/class/dmi/id/product_uuid')) || (await firstLine('/etc/machine-id')),
      bootID: await firstLine('/proc/sys/kernel/random/boot_id'),
      kernelVersion: release(),
      osImage: pretty,
      kubeletVersion: gitVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    },
  };
}

export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

export interface PressureLimits {
  /** Bytes of memory that must be available. */
  readonly memoryBytes: number;
  /** Of the file system under the kubelet's directory: bytes and inodes (as a fraction) that must be free. */
  readonly diskBytes: number;
  readonly inodesFraction: number;
  /** Of the process ids, the fraction that must be free. */
  readonly pidsFraction: number;
}

/**
 * Memory and inodes as upstream's evictionHard. Disk is in bytes: upstream's 10 % of a big disk would refuse pods while dozens of
 * gigabytes are free.
 */
export const defaultLimits: PressureLimits = { memoryBytes: 100 << 20, diskBytes: 512 << 20, inodesFraction: 0.05, pidsFraction: 0.02 };

export async function readPressure(rootDir: string, limits: PressureLimits): Promise<Pressure> {
  const [meminfo, loadavg, pidMax, disk] = await Promise.all([
    readFile('/proc/meminfo', 'utf8'),
    readFile('/proc/loadavg', 'utf8'),
    readFile('/proc/sys/kernel/pid_max', 'utf8'),
    statfs(rootDir),
  ]);
  const available = parseMeminfo(meminfo).get('MemAvailable') ?? Number.POSITIVE_INFINITY;
  const tasks = Number(/\/(\d+) /.exec(loadavg)?.[1] ?? 0);
  const inodesLow = disk.files > 0 && disk.ffree / disk.files < limits.inodesFraction;
  return {
    memory: available < limits.memoryBytes,
    disk: disk.bavail * disk.bsize < limits.diskBytes || inodesLow,
    pids: tasks > Number(pidMax) * (1 - limits.pidsFraction),
  };
}
