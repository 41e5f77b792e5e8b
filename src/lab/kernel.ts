import { readFile } from 'node:fs/promises';
import { isKnownError, KnownError } from '../errors/known-error.ts';
import type { Exec } from '../linux/exec.ts';
import { KernelIpvs } from '../linux/ipvs/kernel-ipvs.ts';
import { loadModules } from '../linux/modules.ts';
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
  if (!(await hasFileSystem('overlay')) || !bridgeFilterWasThere) await loadModules(modules, exec);
  if (!(await hasFileSystem('overlay')))
    throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot start nodes: the kernel has no overlay file system', {
      hint: 'See "modprobe overlay" for why (an upgraded kernel wants a reboot), or boot a kernel that has CONFIG_OVERLAY_FS',
    });
  // The module filters bridged packets everywhere from the moment it is loaded; the machine's own bridges did without so far.
  if (!bridgeFilterWasThere) for (const name of bridgeCalls) if (readSysctl(name) !== undefined) ensureSysctl(name, '0');
}

/** Of IPVS; loads its module. */
async function askIpvs(): Promise<void> {
  const ipvs = new KernelIpvs();
  try {
    await ipvs.version();
  } finally {
    ipvs.close();
  }
}

/** Every node's agent would say so in its log alone, again and again. Throws KERNEL_FEATURE_MISSING. */
export async function requireProxyKernel(mode: string | undefined, ask: () => Promise<unknown> = askIpvs): Promise<void> {
  if (mode !== 'ipvs') return;
  try {
    await ask();
  } catch (err) {
    if (!isKnownError(err, 'KERNEL_FEATURE_MISSING')) throw err;
    throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot start a lab with proxy mode "ipvs": the kernel has no IPVS', {
      hint: 'See "modprobe ip_vs" for why, boot a kernel that has CONFIG_IP_VS, or take --proxy-mode nftables, iptables or userspace',
    });
  }
}

/** What a service proxy's rules are made of. Listing tables would ask nothing: a kernel may have nf_tables without a single family. */
const ruleProbe = `table ip probe {
  map endpoints { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  chain before { type nat hook prerouting priority dstnat; fib daddr type local numgen random mod 2 0 ip daddr set 192.0.2.1; }
  chain after { type nat hook postrouting priority srcnat; masquerade fully-random; }
  chain out { type filter hook output priority filter; ct state new meta l4proto tcp reject with tcp reset; }
}
delete table ip probe
`;

/**
 * Tries out what the agent will need, in a network namespace of the lab: a missing feature is better said here than in a log of a node.
 * Throws KERNEL_FEATURE_MISSING.
 */
export async function checkKernel(exec: Exec, tools: Tools, netns: string): Promise<void> {
  const probes = [
    {
      what: 'VXLAN devices',
      option: 'CONFIG_VXLAN',
      module: 'vxlan',
      command: [tools.ip, 'link', 'add', 'probe', 'type', 'vxlan', 'id', '1', 'dstport', '8472'],
      input: '',
    },
    {
      what: 'complete nf_tables',
      option: 'CONFIG_NF_TABLES_IPV4, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_NUMGEN, CONFIG_NFT_FIB_IPV4 and CONFIG_NFT_REJECT',
      module: 'nf_tables',
      command: [tools.nft, '-f', '-'],
      input: ruleProbe,
    },
  ];
  await Promise.all(
    probes.map(async ({ what, option, module, command, input }) => {
      const result = await exec.run(tools.nsenter, [`--net=${netns}`, ...command], { input });
      if (result.code !== 0)
        throw new KnownError(
          'KERNEL_FEATURE_MISSING',
          `Cannot start nodes: the kernel has no ${what} (${result.stderr.trim().split('\n')[0]})`,
          {
            hint: `See "modprobe ${module}" for why, install the modules of the running kernel (linux-modules-extra-$(uname -r) on Ubuntu) or boot one that has ${option}`,
          },
        );
    }),
  );
  await exec.run(tools.nsenter, [`--net=${netns}`, tools.ip, 'link', 'del', 'probe']);
}
