import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { comparable, execIn, kernelIptablesIn, lackingTools } from '../../../linux/iptables/testing/kernel-in.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import { modeConformance } from '../testing/conformance.ts';
import { IptablesMode, type Settings } from './iptables-mode.ts';

const settings: Settings = { read: () => '0', set: () => {} };
/** Chains that the kubelet has for itself, and rules of others: they stay whatever happens. */
const others = `*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:DOCKER - [0:0]
-I OUTPUT -j DOCKER
COMMIT
*filter
-A INPUT -j ACCEPT
COMMIT
`;
const flush = '*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n';
/** Of what the legacy backend changes nobody hears: the canary has to go, too. */
const flushLegacy = flush.replace('COMMIT', ':KUBE-PROXY-CANARY - [0:0]\n-X KUBE-PROXY-CANARY\nCOMMIT');

modeConformance('iptables, in memory', async () => {
  const iptables = new FakeIptables();
  iptables.restoreByOther('ip', others);
  return {
    mode: () => new IptablesMode({ iptables, settings }),
    rules: async () => comparable(iptables.dump('ip')),
    damage: async () => iptables.restoreByOther('ip', flush),
    [Symbol.asyncDispose]: async () => {},
  };
});

for (const variant of ['-nft', '-legacy'] as const)
  modeConformance(
    `iptables${variant}, in the kernel`,
    async () => {
      const net = new Namespaces();
      await net.add('a');
      const { run } = execIn(net.path('a'));
      const iptables = kernelIptablesIn(net.path('a'), variant);
      const restore = (input: string): Promise<unknown> => run(`iptables${variant}-restore`, ['--noflush'], { input });
      await restore(others);
      return {
        mode: () => new IptablesMode({ iptables, settings }),
        rules: async () => comparable((await run(`iptables${variant}-save`, [])).stdout),
        damage: async () => void (await restore(variant === '-legacy' ? flushLegacy : flush)),
        [Symbol.asyncDispose]: async () => {
          iptables.close();
          await net[Symbol.asyncDispose]();
        },
      };
    },
    cannotMakeNamespaces || ((await lackingTools(variant)) ?? false),
  );
