/** Mode iptables in the scenarios of `rules/`. */
import assert from 'node:assert/strict';
import { cidrContains, mustCidr } from '../../../../ip/ip.ts';
import { mustRun } from '../../../../linux/exec.ts';
import { comparable, execIn, kernelIptablesIn, lackingTools } from '../../../../linux/iptables/testing/kernel-in.ts';
import { Conntrack } from '../../../../linux/netlink/conntrack.ts';
import { inNetns } from '../../../../linux/netns.ts';
import type { NodeContext } from '../../../plan/node-context.ts';
import type { ModeFace } from '../../testing/face.ts';
import { settingsIn } from '../../testing/settings-in.ts';
import type { Fate } from '../../view.ts';
import { IptablesMode, iptablesAlgorithms } from '../iptables-mode.ts';
import { view } from '../view.ts';

/** What goes on to an address of the Service ranges as it is meets nobody: for the client that is as if it were dropped. */
function lostOr(fate: Fate, { serviceCidrs }: NodeContext): Fate {
  const isLost = (ip: string): boolean => serviceCidrs.some((cidr) => cidrContains(mustCidr(cidr), ip));
  return fate.kind === 'passed' && fate.destinations.every(({ to }) => isLost(to)) ? { kind: 'dropped' } : fate;
}

export const iptablesFace: ModeFace = {
  name: 'iptables',
  golden: 'iptables.rules',
  algorithms: iptablesAlgorithms,
  keepsHashedClients: true,
  damages: ['nft flush ruleset', 'iptables -t nat -F', 'iptables -t nat -F KUBE-SERVICES', 'iptables -t nat -D PREROUTING 1'],
  counts: ['endpoints', 'refusals'],
  refusesTcpBy: 'tcp reset',
  render(plans, node) {
    // Golden files are without the rules that count.
    const { tracer, ...rendered } = view.render(plans, node, { keepsAccounts: false });
    return {
      ...rendered,
      tracer: (nodeIps) => {
        const follow = tracer(nodeIps);
        return (packet) => lostOr(follow(packet), node);
      },
    };
  },
  lacking: () => lackingTools(),
  open: (namespace, clock, exec) =>
    new IptablesMode({
      ...(clock ? { clock } : {}),
      connections: inNetns(namespace, () => new Conntrack()),
      iptables: kernelIptablesIn(namespace, '', exec),
      otherBackend: async () => ((await lackingTools('-legacy')) === undefined ? kernelIptablesIn(namespace, '-legacy') : undefined),
      settings: settingsIn(namespace),
      closes: true,
    }),
  async checkListing(namespace, golden, { family }) {
    const run = (script: string, input = ''): Promise<string> => mustRun(execIn(namespace), 'sh', ['-c', script], { input });
    const save = `${family}tables-save`;
    const restored = await run(`unshare -n sh -c '${family}tables-restore --noflush && ${save}'`, golden);
    assert.equal(comparable(await run(save)), comparable(restored));
    assert.equal(comparable(restored), comparable(golden), 'the tools print the golden file as it is');
  },
};
