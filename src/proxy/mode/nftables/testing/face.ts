/** Mode nftables in the scenarios of `rules/`. */
import assert from 'node:assert/strict';
import { mustRun, systemExec } from '../../../../linux/exec.ts';
import { Conntrack } from '../../../../linux/netlink/conntrack.ts';
import { inNetns } from '../../../../linux/netns.ts';
import { KernelNftables } from '../../../../linux/nftables/kernel-nftables.ts';
import type { ModeFace } from '../../testing/face.ts';
import { settingsIn } from '../../testing/settings-in.ts';
import { tableName } from '../layout.ts';
import { NftablesMode, nftablesAlgorithms } from '../nftables-mode.ts';
import { view } from '../view.ts';

export const nftablesFace: ModeFace = {
  name: 'nftables',
  golden: 'nftables.nft',
  algorithms: nftablesAlgorithms,
  keepsHashedClients: true,
  damages: [
    'nft flush ruleset',
    'nft delete table ip kube-proxy',
    'nft flush chain ip kube-proxy services',
    'nft flush map ip kube-proxy endpoints',
  ],
  counts: ['endpoints', 'refusals'],
  refusesTcpBy: 'tcp reset',
  render: view.render,
  lacking: async () => undefined,
  open(namespace, clock) {
    const [nft, connections] = inNetns(namespace, () => [new KernelNftables(), new Conntrack()] as const);
    return new NftablesMode(nft, { ...(clock ? { clock } : {}), connections, settings: settingsIn(namespace), closes: true });
  },
  async checkListing(namespace, golden, { family }) {
    const run = (script: string, input = ''): Promise<string> =>
      mustRun(systemExec, 'nsenter', [`--net=${namespace}`, 'sh', '-c', script], { input });
    const list = `nft list table ${family} ${tableName}`;
    const listed = await run(list);
    // nft 1.0.6 lists the rules by which IPv6 clients are remembered, but runs out of registers when it reads them (netlink_linearize.c).
    if (family === 'ip6' && golden.includes('update @')) return;
    assert.equal(await run(`unshare -n sh -c 'nft -f - && ${list}'`, golden), listed);
    assert.equal(await run(`unshare -n sh -c 'nft -f - && ${list}'`, listed), listed, 'the listing can be read again');
  },
};
