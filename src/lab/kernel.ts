import { readFile } from 'node:fs/promises';
import { KnownError } from '../errors/known-error.ts';
import type { Exec } from '../linux/exec.ts';
import { ensureSysctl, readSysctl } from '../linux/sysctl.ts';
import type { Tools } from './tools.ts';

const modules = ['overlay', 'bridge', 'veth', 'vxlan', 'nf_tables', 'nf_conntrack', 'nf_nat', 'br_netfilter'];
const bridgeCalls = ['iptables', 'ip6tables', 'arptables'].map((name) => `net/bridge/bridge-nf-call-${name}`);

async function hasFileSystem(name: string): Promise<boolean> {
  return (await readFile('/proc/filesystems', 'utf8')).split('\n').some((line) => line.trim().split(/\s+/).at(-1) === name);
}

/**
 * Loads what nodes need from the kernel: in a namespace of their own they cannot always. A kernel that has it built in knows no such
 * module, so only what can be seen to be missing is an error. Throws KERNEL_FEATURE_MISSING.
 */
export async function prepareKernel(exec: Exec): Promise<void> {
  const bridgeFilterWasThere = readSysctl(bridgeCalls[0] ?? '') !== undefined;
  if (!(await hasFileSystem('overlay')) || !bridgeFilterWasThere) {
    // kmod may be missing where no modules are.
    for (const name of modules) await exec.run('modprobe', ['-q', name]).catch(() => undefined);
  }
  if (!(await hasFileSystem('overlay')))
    throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot start nodes: the kernel has no overlay file system', {
      hint: 'Load it with "modprobe overlay", or start a kernel that has CONFIG_OVERLAY_FS',
    });
  // The module filters bridged packets everywhere from the moment it is loaded; the machine's own bridges did without so far.
  if (!bridgeFilterWasThere) for (const name of bridgeCalls) if (readSysctl(name) !== undefined) ensureSysctl(name, '0');
}

interface Probe {
  readonly what: string;
  readonly option: string;
  readonly command: readonly string[];
}

/**
 * Tries out what the agent will need, in a network namespace of the lab: a missing feature is better said here than in a log of a node.
 * Throws KERNEL_FEATURE_MISSING.
 */
export async function checkKernel(exec: Exec, tools: Tools, netns: string): Promise<void> {
  const probes: readonly Probe[] = [
    {
      what: 'VXLAN devices',
      option: 'CONFIG_VXLAN',
      command: [tools.ip, 'link', 'add', 'probe', 'type', 'vxlan', 'id', '1', 'dstport', '8472'],
    },
    { what: 'nf_tables', option: 'CONFIG_NF_TABLES', command: [tools.nft, 'list', 'tables'] },
  ];
  await Promise.all(
    probes.map(async ({ what, option, command }) => {
      const result = await exec.run(tools.nsenter, [`--net=${netns}`, ...command]);
      if (result.code !== 0)
        throw new KnownError(
          'KERNEL_FEATURE_MISSING',
          `Cannot start nodes: the kernel has no ${what} (${result.stderr.trim().split('\n')[0]})`,
          {
            hint: `Start a kernel that has ${option}`,
          },
        );
    }),
  );
  await exec.run(tools.nsenter, [`--net=${netns}`, tools.ip, 'link', 'del', 'probe']);
}
