/** Takes away what a pod network left on this node: links, routes, rules, and the file that tells of them. For a node that leaves its cluster. */
import { rmSync } from 'node:fs';
import { KernelIptables } from '../linux/iptables/kernel-iptables.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import { LinuxNetworkKernel } from './kernel/network-kernel.ts';
import { removePodRules } from './kernel/pod-rules.ts';
import { deviceName, routeProtocol, type Step } from './plan/diff.ts';
import type { KernelState } from './plan/network.ts';
import { bridgeName } from './plan/plan.ts';
import { rulesTable } from './plan/rules.ts';

/** Pure. */
export function removalSteps({ links, routes }: KernelState): Step[] {
  return [
    ...routes.filter(({ protocol }) => protocol === routeProtocol).map((route): Step => ({ do: 'delete-route', route })),
    ...links.filter(({ name }) => deviceName.test(name) || name === bridgeName).map(({ name }): Step => ({ do: 'delete-link', name })),
  ];
}

export async function cleanUpNetwork(): Promise<void> {
  const [netlink, nft, iptables] = [new Rtnetlink(), new KernelNftables(), new KernelIptables()];
  try {
    const kernel = new LinuxNetworkKernel(netlink);
    // One after the other: with a link its routes are gone.
    for (const step of removalSteps(await kernel.read())) await kernel.take([step]);
    for (const family of ['ip', 'ip6'] as const)
      if (await nft.read(family, rulesTable)) await nft.commit({ family, table: rulesTable, ops: [{ op: 'delete-table' }] });
    await removePodRules(iptables);
  } finally {
    netlink.close();
    nft.close();
    iptables.close();
  }
  rmSync('/run/flannel/subnet.env', { force: true });
}
