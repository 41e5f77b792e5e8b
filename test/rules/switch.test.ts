/** One mode takes over from another, and from kube-proxy, on a real kernel: rules go when they are replaced, and connections go on. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { mustRun } from '../../src/linux/exec.ts';
import { execIn, kernelIptablesIn, lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { KernelFlows } from '../../src/proxy/flow-clean-up.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import { KernelNodeHost } from '../../src/proxy/node-host.ts';
import { cleanOtherModes } from '../../src/proxy/other-modes.ts';
import type { ServiceProxy } from '../../src/proxy/proxy.ts';
import { HandmadeCluster } from '../../src/proxy/testing/handmade-cluster.ts';
import { start as startOver, stopAll } from '../../src/proxy/testing/running-proxy.ts';
import { Connection } from './probe.ts';
import { buildTopology, echoPort, type Topology } from './topology.ts';

const pod = '10.244.1.100';
const endpoint = '10.244.2.2';
const vip = '10.96.0.100';
const timeoutMs = 3000;

const switches = [
  ['nftables', 'iptables'],
  ['iptables', 'nftables'],
] as const;
const withoutLegacy = (await lackingTools('-legacy')) ?? false;
const cannot = process.getuid?.() === 0 ? ((await lackingTools()) ?? false) : 'needs root';

describe('a proxy that takes over', { skip: cannot, concurrency: false }, () => {
  let topology: Topology;
  let flows: KernelFlows;
  let host: KernelNodeHost;
  before(async () => {
    topology = await buildTopology([pod], [endpoint], 's');
    flows = inNetns(topology.node, () => new KernelFlows());
    host = inNetns(topology.node, () => new KernelNodeHost());
  });
  afterEach(async () => {
    await stopAll();
    await mustRun(execIn(topology.node), 'nft', ['flush', 'ruleset']);
  });
  after(async () => {
    flows?.close();
    host?.close();
    await topology?.[Symbol.asyncDispose]();
  });

  const modes = (): Parameters<typeof cleanOtherModes>[2] =>
    Object.fromEntries(
      faces
        .filter(({ name }) => switches.flat().includes(name as 'nftables'))
        .map((face) => [face.name, async () => face.open(topology.node)]),
    );

  async function start(name: string): Promise<ServiceProxy> {
    const cluster = new HandmadeCluster();
    cluster.service('web', vip);
    cluster.endpoints('web', [endpoint]);
    cluster.slices.put({ ...cluster.slices.list()[0]!, ports: [{ name: '', port: echoPort, protocol: 'TCP' }] });
    const rules = await modes()?.[name]?.();
    assert.ok(rules);
    const { promise: cleaned, resolve } = Promise.withResolvers<boolean>();
    const cleanOthers = async (...[own, log]: Parameters<typeof cleanOtherModes>): Promise<boolean> => {
      const isDone = await cleanOtherModes(own, log, modes());
      resolve(isDone);
      return isDone;
    };
    const proxy = await startOver(cluster, undefined as never, { rules, cleanOthers, flows, host });
    assert.equal(await cleaned, true);
    return proxy;
  }

  const connect = async (): Promise<Connection> => {
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs);
    assert.ok(typeof opened !== 'string', String(opened));
    return opened;
  };

  const held = async (): Promise<string[]> => {
    const tables = await mustRun(execIn(topology.node), 'nft', ['list', 'tables']);
    const saved = await mustRun(execIn(topology.node), 'iptables-save', []);
    return [...(tables.includes('kube-proxy') ? ['nftables'] : []), ...(saved.includes('KUBE-') ? ['iptables'] : [])];
  };

  for (const [from, to] of switches)
    test(`from mode ${from} to ${to} keeps established connections, and leaves no rule of the one`, async () => {
      const first = await start(from);
      using connection = await connect();
      assert.equal(await connection.exchange('one', timeoutMs), 'one');
      assert.deepEqual(await held(), [from]);
      await first.close();
      await start(to);
      assert.deepEqual(await held(), [to]);
      assert.equal(await connection.exchange('two', timeoutMs), 'two');
      using another = await connect();
      assert.equal(await another.exchange('three', timeoutMs), 'three');
    });

  test('in mode iptables takes away what is in the other backend', { skip: withoutLegacy }, async () => {
    const legacy = kernelIptablesIn(topology.node, '-legacy');
    try {
      await legacy.restore('ip', [
        { table: 'nat', fill: new Map([['KUBE-SERVICES', []]]), insert: new Map([['PREROUTING', ['-j KUBE-SERVICES']]]) },
      ]);
      await start('iptables');
      assert.ok(!JSON.stringify([...((await legacy.save('ip')).get('nat') ?? [])]).includes('KUBE-'));
    } finally {
      legacy.close();
    }
  });
});
