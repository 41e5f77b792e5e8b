/** A proxy in mode iptables at work on a real kernel: what happens to traffic while things change. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { comparable, execIn, lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
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
import { Connection, probe } from './probe.ts';
import { buildTopology, echoPort, type Topology } from './topology.ts';

const pod = '10.244.1.100';
const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
const vip = '10.96.0.100';
const timeoutMs = 3000;
const cannot = process.getuid?.() === 0 ? ((await lackingTools()) ?? false) : 'needs root';

/** Nobody hears of changes there. */
const isLegacy =
  cannot === false && !(await mustRun(systemExec, 'iptables', ['--version'])).includes('nf_tables') && 'needs the nft backend';

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

  const inNode = (...[file = '', ...args]: string[]): Promise<string> => mustRun(execIn(topology.node), file, args);
  const saved = async (): Promise<string> => comparable(await inNode('iptables-save'));
  const start = (made: HandmadeCluster, more: Partial<ProxyOptions> = {}): Promise<ServiceProxy> =>
    startOver(made, undefined as never, { rules: mode, flows, host, ...more });

  function cluster(ips: readonly string[], spec: Parameters<HandmadeCluster['service']>[2] = {}, port = 8080): HandmadeCluster {
    const made = new HandmadeCluster();
    made.service('web', vip, spec);
    made.endpoints('web', ips);
    made.slices.put({ ...made.slices.list()[0]!, ports: [{ name: '', port, protocol: 'TCP' }] });
    return made;
  }

  const connect = async (): Promise<Connection> => {
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs);
    assert.ok(typeof opened !== 'string', String(opened));
    return opened;
  };

  test('changes no rule when it starts again, and established connections outlive their Service', async () => {
    const made = cluster([endpoints[0]], {}, echoPort);
    const first = await start(made);
    using connection = await connect();
    assert.equal(await connection.exchange('one', timeoutMs), 'one');
    const before = await inNode('iptables-save', '-c');
    await first.close();
    await start(made);
    // Counters and all: a rule that was written again would have none.
    const rules = (text: string): string[] => text.split('\n').filter((line) => line.includes('KUBE-SEP-'));
    assert.deepEqual(rules(await inNode('iptables-save', '-c')), rules(before));
    made.services.remove('default/web');
    await eventually(async () => !(await saved()).includes('KUBE-SEP-'));
    assert.equal(await connection.exchange('two', timeoutMs), 'two');
  });

  test('puts back at once what somebody flushed, and established connections go on', { skip: isLegacy }, async () => {
    // A period that would never come.
    await start(cluster([endpoints[0]], {}, echoPort), { syncPeriodMs: 3_600_000 });
    using connection = await connect();
    assert.equal(await connection.exchange('one', timeoutMs), 'one');
    const wanted = await saved();
    for (const damage of ['iptables -t nat -F', 'iptables -t nat -F KUBE-SERVICES', 'iptables -t filter -F FORWARD', 'nft flush ruleset']) {
      await inNode(...damage.split(' '));
      await eventually(async () => (await saved()) === wanted);
      assert.equal(await connection.exchange(damage, timeoutMs), damage);
      using another = await connect();
      assert.equal(await another.exchange(damage, timeoutMs), damage);
    }
  });

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
