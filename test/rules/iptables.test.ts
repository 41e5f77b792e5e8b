/** A proxy in mode iptables at work on a real kernel: what happens to traffic while things change. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { readSysctl } from '../../src/linux/sysctl.ts';
import { KernelFlows } from '../../src/proxy/flow-clean-up.ts';
import { iptablesFace } from '../../src/proxy/mode/iptables/testing/face.ts';
import type { Mode } from '../../src/proxy/mode/mode.ts';
import { KernelNodeHost } from '../../src/proxy/node-host.ts';
import type { ProxyOptions } from '../../src/proxy/options.ts';
import type { ServiceProxy } from '../../src/proxy/proxy.ts';
import { HandmadeCluster } from '../../src/proxy/testing/handmade-cluster.ts';
import { start as startOver, stopAll } from '../../src/proxy/testing/running-proxy.ts';
import { probe } from './probe.ts';
import { buildTopology, type Topology } from './topology.ts';

const pod = '10.244.1.100';
const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
const vip = '10.96.0.100';
/** An answer comes at once, but a machine may be busy. */
const timeoutMs = 30_000;
const cannot = process.getuid?.() === 0 ? ((await lackingTools()) ?? false) : 'needs root';

describe('mode iptables on a real kernel', { skip: cannot, concurrency: false }, () => {
  let topology: Topology;
  let flows: KernelFlows;
  let host: KernelNodeHost;
  let mode: Mode;
  before(async () => {
    topology = await buildTopology([pod], endpoints, 'i');
    flows = inNetns(topology.node, () => new KernelFlows());
    host = inNetns(topology.node, () => new KernelNodeHost());
    mode = iptablesFace.open(topology.node);
  });
  afterEach(async () => {
    await stopAll();
    await mode.cleanUp();
  });
  after(async () => {
    mode?.close();
    flows?.close();
    host?.close();
    await topology?.[Symbol.asyncDispose]();
  });

  const start = (made: HandmadeCluster, more: Partial<ProxyOptions> = {}): Promise<ServiceProxy> =>
    startOver(made, undefined as never, { rules: mode, flows, host, ...more });

  function cluster(ips: readonly string[], spec: Parameters<HandmadeCluster['service']>[2] = {}): HandmadeCluster {
    const made = new HandmadeCluster();
    made.service('web', vip, spec);
    made.endpoints('web', ips);
    made.slices.put({ ...made.slices.list()[0]!, ports: [{ name: '', port: 8080, protocol: 'TCP' }] });
    return made;
  }

  test('never refuses a new connection while endpoints come and go', async () => {
    const made = cluster(endpoints);
    await start(made);
    const choices = [[0, 1, 2], [0], [0, 1], [0, 2], [0, 1, 2], [0, 2]].map((list) => list.map((i) => endpoints[i] ?? ''));
    let changes = 0;
    const ending = new AbortController();
    const changing = (async () => {
      while (!ending.signal.aborted) {
        made.endpoints('web', choices[changes++ % choices.length] ?? []);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let i = 0; i < 200; i++) assert.equal((await probe(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs)).kind, 'answered');
    } finally {
      ending.abort();
      await changing;
    }
    assert.ok(changes > 50, `only ${changes} changes`);
  });

  test('serves node ports at 127.0.0.1, and takes that back with its rules', async () => {
    const made = cluster(endpoints, { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] });
    await start(made, { nodePortAddresses: ['all'], loopbackNodePorts: 'rules' });
    const routeLocalnet = (): string | undefined => inNetns(topology.node, () => readSysctl('net/ipv4/conf/all/route_localnet'));
    assert.equal(routeLocalnet(), '1');
    const answer = await probe(topology.namespaceOf('192.168.120.11'), '127.0.0.1', 30_080, 'tcp', timeoutMs);
    assert.equal(answer.kind, 'answered');
    assert.ok(answer.kind === 'answered' && endpoints.some((ip) => answer.by.startsWith(`${ip}:`)));
    await stopAll();
    await mode.cleanUp();
    assert.equal(routeLocalnet(), '0');
  });
});
