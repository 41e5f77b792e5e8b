/** Looks at the machine: the edge under `check.ts`. Reads files and asks programs; changes nothing. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { messageOf } from '../../errors/known-error.ts';
import type { Exec } from '../../linux/exec.ts';
import { readSysctl } from '../../linux/sysctl.ts';
import { layout } from '../layout.ts';
import type { Facts, KnownNode, OtherNetwork, Role, StoreFact } from './facts.ts';
import type { Identity } from './identity.ts';
import { parseListeners } from './listeners.ts';

/** What a container runtime tells of itself. */
export interface RuntimeFacts {
  readonly answers: boolean;
  readonly criDisabled: boolean;
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | undefined;
  /** Where it looks for plugins and configuration of its network. */
  readonly cniBinDir: string | undefined;
  readonly cniConfDir: string | undefined;
  /** In the order in which it looks for them. */
  readonly otherNetworks: readonly OtherNetwork[];
}

export interface GatherOptions {
  readonly role: Role;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly families: Facts['families'];
  readonly apiPort: number;
  readonly proxyMode: string;
  readonly running: Facts['running'];
  readonly runtimeSocket: string;
  readonly runtime: RuntimeFacts;
  readonly skewMs: number | undefined;
  readonly nodes: readonly KnownNode[];
  readonly otherCluster?: string | undefined;
  readonly store?: StoreFact | undefined;
  /** An etcd on this machine is nothing of another cluster's. */
  readonly ownsEtcd?: boolean;
  readonly exec: Exec;
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}

async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch(() => []);
}

/** A module's name is written with either sign. */
function underscored(name: string): string {
  return name.replaceAll('-', '_');
}

/** Whether it is loaded, built in, or could be loaded. Undefined where the kernel does not say what is built into it. */
async function hasModule(exec: Exec, name: string): Promise<boolean | undefined> {
  if ((await namesIn('/sys/module')).includes(name)) return true;
  if ((await textOf('/proc/filesystems')).split(/\s+/).includes(name)) return true;
  const dir = join('/lib/modules', (await textOf('/proc/sys/kernel/osrelease')).trim());
  const builtin = await textOf(join(dir, 'modules.builtin'));
  if (builtin === '') return undefined;
  if (builtin.split('\n').some((path) => underscored(basename(path, '.ko')) === name)) return true;
  const found = await exec.run('modprobe', ['--dry-run', '--quiet', name]).catch(() => undefined);
  return found && found.code === 0;
}

async function readCgroups(): Promise<Facts['cgroups']> {
  const v2 = await textOf('/sys/fs/cgroup/cgroup.controllers');
  if (v2 !== '') return { version: 2, controllers: v2.trim().split(/\s+/) };
  const v1 = (await namesIn('/sys/fs/cgroup')).flatMap((name) => name.split(','));
  return v1.length > 0 ? { version: 1, controllers: v1 } : undefined;
}

const programDirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

async function findPrograms(names: readonly string[]): Promise<string[]> {
  const there = new Set((await Promise.all(programDirs.map(namesIn))).flat());
  return names.filter((name) => there.has(name));
}

/** By path: whose it is. */
const traces: Readonly<Record<string, string>> = {
  '/etc/kubernetes/manifests/kube-apiserver.yaml': 'a control plane of kubeadm',
  '/var/lib/kubelet/kubeadm-flags.env': 'a node of kubeadm',
  '/var/lib/etcd/member': 'an etcd',
  '/etc/rancher/k3s': 'k3s',
  // An agent of it has nothing in the other.
  '/var/lib/rancher/k3s': 'k3s',
  '/etc/rancher/rke2': 'RKE2',
  '/var/lib/rancher/rke2': 'RKE2',
  '/var/lib/k0s': 'k0s',
  '/var/snap/microk8s': 'MicroK8s',
};

async function findOthers(ownsEtcd: boolean): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(traces).map(async ([path, what]) =>
      !(ownsEtcd && what === 'an etcd') && (await namesIn(join(path, '..'))).includes(basename(path)) ? `${what} (${path})` : '',
    ),
  );
  return found.filter(Boolean);
}

async function findFirewalls(exec: Exec): Promise<string[]> {
  const names = ['firewalld', 'ufw'];
  const states = await Promise.all(names.map((name) => exec.run('systemctl', ['is-active', name]).catch(() => undefined)));
  return names.filter((_name, i) => states[i]?.stdout.trim() === 'active');
}

const sysctls = ['net/ipv4/ip_forward', 'net/ipv4/conf/all/rp_filter', 'net/bridge/bridge-nf-call-iptables'];
const modules = ['overlay', 'vxlan', 'nf_tables', 'ip_tables', 'ip_vs', 'br_netfilter'];

/** The link that has the address. */
async function linkOf([address]: readonly string[]): Promise<Pick<Facts, 'link' | 'mtu'>> {
  const [link] = Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => one.address === address)) ?? [];
  return { link, mtu: link === undefined ? undefined : Number(await textOf(join('/sys/class/net', link, 'mtu'))) || undefined };
}

export async function identity(): Promise<Identity> {
  const ownAddresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  return { machineId: (await textOf('/etc/machine-id')).trim(), ownAddresses };
}

export async function gatherFacts(options: GatherOptions): Promise<Facts> {
  const { exec, runtime, runtimeSocket, ownsEtcd = false, ...given } = options;
  const kernel = await Promise.all(modules.map(async (name) => [name, await hasModule(exec, name)] as const));
  const listening = await Promise.all(
    (['tcp', 'tcp6', 'udp', 'udp6'] as const).map(async (table) => parseListeners(table, await textOf(`/proc/net/${table}`))),
  );
  const swaps = (await textOf('/proc/swaps')).split('\n').slice(1);
  return {
    ...given,
    isRoot: process.getuid?.() === 0,
    ...(await linkOf(given.addresses)),
    memoryBytes: totalmem(),
    swapDevices: swaps.map((line) => line.split(/\s+/)[0] ?? '').filter(Boolean),
    kernel: Object.fromEntries(kernel),
    cgroups: await readCgroups(),
    sysctls: Object.fromEntries(sysctls.map((name) => [name, sysctlOf(name)])),
    listening: listening.flat(),
    programs: await findPrograms(['containerd', 'runc', 'iptables-restore']),
    runtime: { socket: runtimeSocket, ...runtime },
    others: await findOthers(ownsEtcd),
    firewalls: await findFirewalls(exec),
    ...(await identity()),
    isMember: existsSync(layout.kubeletConfig),
  };
}

function sysctlOf(name: string): string | undefined {
  try {
    return readSysctl(name);
  } catch (err) {
    // Who is not root may not read some; that root is needed is a finding of its own.
    return messageOf(err);
  }
}
