import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import { modeConformance } from '../testing/conformance.ts';
import { testCounting } from '../testing/counting.ts';
import { IpvsMode } from './ipvs-mode.ts';
import { FakeIpvsKernel } from './testing/fake-kernel.ts';
import { execIn, ipvsModeIn, lackingForIpvs } from './testing/kernel-mode.ts';

modeConformance('ipvs, in memory', async () => {
  const kernel = new FakeIpvsKernel();
  // Tables that are empty are there from the first look on.
  kernel.iptables.restoreByOther('ip', '*nat\nCOMMIT\n*filter\nCOMMIT\n*mangle\nCOMMIT\n');
  const modes: IpvsMode[] = [];
  return {
    mode: () => {
      const mode = new IpvsMode(kernel);
      modes.push(mode);
      return mode;
    },
    rules: async () => kernel.dump(),
    damage: () => kernel.ipvs.flush(),
    [Symbol.asyncDispose]: async () => {
      for (const mode of modes) mode.close();
    },
  };
});

test('schedulers are loaded before the balancer hears of one, which would load it under a lock that the end of a network namespace waits for', async (t) => {
  const kernel = new FakeIpvsKernel();
  const loadedAt: number[] = [];
  const apply = kernel.ipvs.apply.bind(kernel.ipvs);
  t.mock.method(kernel.ipvs, 'apply', async (ops: Parameters<typeof apply>[0]) => {
    loadedAt.push(kernel.modules.length);
    return await apply(ops);
  });
  const mode = new IpvsMode(kernel);
  await mode.probe();
  mode.close();
  assert.deepEqual(
    kernel.modules,
    'rr wrr lc wlc lblc lblcr sh dh sed nq mh'.split(' ').map((name) => `ip_vs_${name}`),
  );
  assert.equal(loadedAt[0], kernel.modules.length);
});

const lacking = await lackingForIpvs();

// Where the kernel lacks IPVS, test/guest brings one that has it.
modeConformance(
  'ipvs, in the kernel',
  async () => {
    const net = new Namespaces();
    await net.add('a');
    const run = async (script: string): Promise<string> => (await execIn(net.path('a')).run('sh', ['-c', script])).stdout;
    const sorted = (text: string): string =>
      text
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .sort()
        .join('\n');
    const modes: IpvsMode[] = [];
    // Tables that are empty are there from the first look on.
    await run('for t in nat filter mangle; do iptables -t $t -S; ip6tables -t $t -S; done');
    return {
      mode: () => {
        const mode = ipvsModeIn(net.path('a'));
        modes.push(mode);
        return mode;
      },
      rules: async () =>
        sorted(await run('ipvsadm -Sn; ipset save; iptables-save; ip6tables-save; ip -o addr show dev kube-ipvs0 2>&1 | cut -d" " -f2-8')),
      damage: async () => void (await run('ipvsadm -C')),
      [Symbol.asyncDispose]: async () => {
        for (const mode of modes) mode.close();
        await net[Symbol.asyncDispose]();
      },
    };
  },
  lacking ?? cannotMakeNamespaces,
);

testCounting(
  'ipvs, in the kernel',
  async (namespace) => {
    const mode = ipvsModeIn(namespace);
    return { mode, [Symbol.asyncDispose]: async () => mode.close() };
  },
  { bytes: true, endpoints: true },
  lacking ?? cannotMakeNamespaces,
);
