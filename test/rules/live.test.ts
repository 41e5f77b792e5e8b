/** The proxy at work on a real kernel: what happens to traffic while things change. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { diff } from '../../src/linux/nftables/diff.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import type { Table } from '../../src/linux/nftables/table.ts';
import { peerTable } from '../../src/proxy/bench.ts';
import { affinitySet } from '../../src/proxy/mode/nftables/layout.ts';
import { NftablesMode } from '../../src/proxy/mode/nftables/nftables-mode.ts';
import { renderTable } from '../../src/proxy/mode/nftables/render-table.ts';
import { KernelNodeHost } from '../../src/proxy/node-host.ts';
import type { ProxyOptions } from '../../src/proxy/options.ts';
import { planService } from '../../src/proxy/plan/plan-service.ts';
import type { ServiceProxy } from '../../src/proxy/proxy.ts';
import { HandmadeCluster } from '../../src/proxy/testing/handmade-cluster.ts';
import { start as startOver, stopAll } from '../../src/proxy/testing/running-proxy.ts';
import { KernelUdpFlows } from '../../src/proxy/udp-flows.ts';
import { Connection, probe } from './probe.ts';
import { buildTopology, echoPort, type Topology } from './topology.ts';

const pod = '10.244.1.100';
const timeoutMs = 3000;
const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
const vip = '10.96.0.100';

describe('the proxy on a real kernel', { skip: process.getuid?.() === 0 ? false : 'needs root', concurrency: false }, () => {
  let topology: Topology;
  let nft: KernelNftables;
  let flows: KernelUdpFlows;
  let host: KernelNodeHost;

  before(async () => {
    topology = await buildTopology([pod], endpoints, 'l');
    nft = inNetns(topology.node, () => new KernelNftables());
    flows = inNetns(topology.node, () => new KernelUdpFlows());
    host = inNetns(topology.node, () => new KernelNodeHost());
  });
  afterEach(async () => {
    await stopAll();
    await new NftablesMode(nft).cleanUp();
  });
  after(async () => {
    nft?.close();
    flows?.close();
    host?.close();
    await topology?.[Symbol.asyncDispose]();
  });

  function start(made: HandmadeCluster, more: Partial<ProxyOptions> = {}): Promise<ServiceProxy> {
    return startOver(made, nft, { serviceCidrs: ['10.96.0.0/16'], udpFlows: flows, host, ...more });
  }

  function cluster(spec: Parameters<HandmadeCluster['service']>[2] = {}, ips: readonly string[] = endpoints): HandmadeCluster {
    const made = new HandmadeCluster();
    made.service('web', vip, spec);
    made.endpoints('web', ips, spec.ports?.[0]?.protocol);
    return made;
  }

  const ask = (patienceMs = timeoutMs): ReturnType<typeof probe> => probe(topology.namespaceOf(pod), vip, 80, 'tcp', patienceMs);

  test('keeps an established connection while it restarts, and while its Service goes away', async () => {
    const made = cluster({}, [endpoints[0]]);
    made.slices.put({ ...made.slices.list()[0]!, ports: [{ name: '', port: echoPort, protocol: 'TCP' }] });
    const first = await start(made);
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs);
    assert.ok(typeof opened !== 'string');
    using connection = opened;
    assert.equal(await connection.exchange('one', timeoutMs), 'one');
    await first.close();
    const sent = nft.messagesSent;
    await start(made);
    assert.equal(nft.messagesSent, sent, 'a restart changes no rule');
    assert.equal(await connection.exchange('two', timeoutMs), 'two');
    made.services.remove('default/web');
    await eventually(async () => (await ask(100)).kind === 'refused');
    assert.equal(await connection.exchange('three', timeoutMs), 'three');
  });

  test('puts back at once what somebody flushed, and established connections go on', async () => {
    const made = cluster({}, [endpoints[0]]);
    made.slices.put({ ...made.slices.list()[0]!, ports: [{ name: '', port: echoPort, protocol: 'TCP' }] });
    const { node } = topology;
    // A period that would never come.
    await start(made, { syncPeriodMs: 3_600_000 });
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs);
    assert.ok(typeof opened !== 'string');
    using connection = opened;
    assert.equal(await connection.exchange('one', timeoutMs), 'one');
    const inNode = (...command: string[]): Promise<string> =>
      mustRun(systemExec, 'ip', ['netns', 'exec', node.slice('/run/netns/'.length), ...command]);
    for (const damage of [
      'flush ruleset',
      'delete table ip kube-proxy',
      'flush chain ip kube-proxy services',
      'flush map ip kube-proxy endpoints',
    ]) {
      const wanted = await inNode('nft', 'list', 'table', 'ip', 'kube-proxy');
      await inNode('nft', ...damage.split(' '));
      await eventually(async () => (await inNode('nft', 'list', 'ruleset')) === wanted);
      assert.equal(await connection.exchange(damage, timeoutMs), damage);
      const again = await Connection.open(topology.namespaceOf(pod), vip, 80, 'tcp', timeoutMs);
      assert.ok(typeof again !== 'string', `${damage}: ${String(again)}`);
      again[Symbol.dispose]();
    }
  });

  test('never refuses a new connection while endpoints come and go', async () => {
    const made = cluster();
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
      for (let i = 0; i < 300; i++) assert.equal((await ask()).kind, 'answered');
    } finally {
      ending.abort();
      await changing;
    }
    assert.ok(changes > 50, `only ${changes} changes`);
  });

  test("leaves this node's sockets alone that somebody's Service names, and serves the ports that are free", async () => {
    const made = cluster({
      externalIPs: ['192.168.120.11'],
      ports: [
        { name: 'busy', port: 8443 },
        { name: '', port: 80 },
      ],
    });
    const [slice] = made.slices.list();
    const ports = ['busy', ''].map((name) => ({ name, port: 8080, protocol: 'TCP' }));
    made.slices.put({ ...slice!, ports });
    await start(made);
    const from = async (port: number): Promise<string> => {
      const answer = await probe(topology.namespaceOf('192.168.120.1'), '192.168.120.11', port, 'tcp', timeoutMs);
      return answer.kind === 'answered' ? answer.by : answer.kind;
    };
    await eventually(async () => (await from(80)).startsWith('10.244.2.'));
    for (let i = 0; i < 10; i++) assert.equal(await from(8443), '192.168.120.11:8443');
  });

  test('moves a UDP flow to another endpoint when its own is gone', async () => {
    const made = cluster({ ports: [{ port: 53, protocol: 'UDP' }] }, [endpoints[0]]);
    await start(made);
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 53, 'udp', timeoutMs);
    assert.ok(typeof opened !== 'string');
    using connection = opened;
    assert.match(await connection.exchange('?', timeoutMs), /^10\.244\.2\.2:8080/);
    made.endpoints('web', [endpoints[1]], 'UDP');
    await eventually(async () => (await connection.exchange('?', timeoutMs)).startsWith('10.244.2.3:8080'));
  });

  test('refuses a UDP client that goes on asking when its Service is gone', async () => {
    const made = cluster({ ports: [{ port: 53, protocol: 'UDP' }] }, [endpoints[0]]);
    await start(made);
    const opened = await Connection.open(topology.namespaceOf(pod), vip, 53, 'udp', timeoutMs);
    assert.ok(typeof opened !== 'string');
    using connection = opened;
    assert.match(await connection.exchange('?', timeoutMs), /^10\.244\.2\.2:8080/);
    made.services.remove('default/web');
    await eventually(async () => (await connection.exchange('?', 200)) === 'refused');
  });

  test('serves a Service that remembers as many clients as it can, and has others remember theirs', async () => {
    const made = cluster({ sessionAffinity: 'ClientIP' });
    made.service('other', '10.96.0.101', { sessionAffinity: 'ClientIP' });
    made.endpoints('other', endpoints);
    await start(made);
    const full = affinitySet('default/web', { family: 'ip' });
    const { size = 0 } = full.dynamic ?? {};
    const learnt = Array.from({ length: size }, (_, i): [string, string] => [
      `172.16.${i >> 8}.${i & 255} . ${vip} . tcp . 80`,
      `${endpoints[0]} . 8080`,
    ]);
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'add-elements', set: full, elements: learnt }] });
    const answers = new Set<string>();
    // Not remembered, it is spread as anybody.
    for (let i = 0; i < 100 && answers.size < endpoints.length; i++) {
      const answer = await ask();
      assert.equal(answer.kind, 'answered');
      if (answer.kind === 'answered') answers.add(answer.by);
    }
    assert.equal(answers.size, endpoints.length);
    const others = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const answer = await probe(topology.namespaceOf(pod), '10.96.0.101', 80, 'tcp', timeoutMs);
      if (answer.kind === 'answered') others.add(answer.by);
    }
    assert.equal(others.size, 1);
    const remembered = await nft.readElements('ip', 'kube-proxy', affinitySet('default/other', { family: 'ip' }));
    assert.equal(remembered.size, 1);
  });

  test('gives a client with affinity another endpoint when its own is gone, and keeps it there', async () => {
    const made = cluster({ sessionAffinity: 'ClientIP' });
    await start(made);
    const first = await ask();
    assert.ok(first.kind === 'answered');
    const rest = endpoints.filter((ip) => !first.by.startsWith(`${ip}:`));
    assert.equal(rest.length, 2);
    made.endpoints('web', rest);
    await eventually(async () => {
      const now = await ask();
      return now.kind === 'answered' && now.by !== first.by;
    });
    const second = await ask();
    for (let i = 0; i < 10; i++) assert.deepEqual(await ask(), second);
  });

  test('says "refused" as soon as the last endpoint goes, and serves as soon as one comes', async () => {
    const made = cluster();
    await start(made);
    made.endpoints('web', []);
    await eventually(async () => (await ask()).kind === 'refused');
    for (let i = 0; i < 20; i++) assert.equal((await ask()).kind, 'refused');
    made.endpoints('web', [endpoints[2]]);
    await eventually(async () => (await ask()).kind === 'answered');
  });

  test('survives what the kernel tells of thousands of Services that come at once', async () => {
    const made = cluster();
    for (let n = 0; n < 5_000; n++) {
      made.service(`s${n}`, `10.96.${8 + (n >> 8)}.${n & 255}`);
      made.endpoints(`s${n}`, endpoints);
    }
    await start(made);
    assert.equal((await ask()).kind, 'answered');
  });

  test('repairs rules that somebody flushed', async () => {
    await start(cluster(), { syncPeriodMs: 50 });
    await mustRun(systemExec, 'ip', ['netns', 'exec', topology.node.slice('/run/netns/'.length), 'nft', 'flush', 'ruleset']);
    await eventually(async () => (await ask(100)).kind === 'answered');
  });

  test("takes over from kube-proxy's own table", async () => {
    const ns = topology.node.slice('/run/netns/'.length);
    await mustRun(systemExec, 'ip', ['netns', 'exec', ns, 'nft', '-f', '-'], { input: peerTable({ services: 20, endpoints: 3 }) });
    await start(cluster());
    assert.equal((await ask()).kind, 'answered');
    assert.doesNotMatch(
      await mustRun(systemExec, 'ip', ['netns', 'exec', ns, 'nft', 'list', 'ruleset']),
      /mark-for-masquerade|service-ips/,
    );
  });

  test('leaves its rules when it ends, until "fairlead proxy --cleanup" takes them away', async () => {
    await (await start(cluster())).close();
    const inNode = (...command: string[]): Promise<string> =>
      mustRun(systemExec, 'ip', ['netns', 'exec', topology.node.slice('/run/netns/'.length), ...command]);
    assert.equal((await ask()).kind, 'answered');
    await inNode(process.execPath, 'src/main/fairlead.ts', 'proxy', '--cleanup');
    assert.equal(await inNode('nft', 'list', 'tables'), '');
    // Again, with nothing there.
    await inNode(process.execPath, 'src/main/fairlead.ts', 'proxy', '--cleanup');
  });

  test('writes IPv6 rules that the kernel takes and nft can list and read again', async () => {
    const service = cluster().services.list()[0]!;
    const spec = {
      ...service.spec,
      type: 'NodePort',
      sessionAffinity: 'ClientIP',
      externalTrafficPolicy: 'Local',
      clusterIP: 'fd00:10:96::1',
    };
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1' },
      addressType: 'IPv6',
      ports: [{ name: '', port: 8080 }],
      endpoints: [{ addresses: ['fd00:10:244::2'], nodeName: 'node1' }, { addresses: ['fd00:10:244:100::2'] }],
    };
    const node = {
      family: 'ip6' as const,
      nodeName: 'node1',
      local: { mode: 'ClusterCIDR' as const, cidr: 'fd00:10:244::/56' },
      masqueradeAll: false,
      nodePortIps: ['fd00::11'],
      serviceCidrs: ['fd00:10:96::/112'],
      nodeIps: ['fd00::11'],
    };
    const planned = (affinity: 'None' | 'ClientIP'): Table => {
      const plan = planService(
        { ...service, spec: { ...spec, sessionAffinity: affinity, ports: [{ port: 80, nodePort: 30080 }] } },
        [slice],
        node,
      );
      assert.ok(plan);
      return renderTable([plan], node);
    };
    const table = planned('None');
    await nft.commit({ family: 'ip6', table: table.name, ops: diff(undefined, table) });
    assert.deepEqual(diff(await nft.read('ip6', table.name), table), []);
    const run = (script: string, input = ''): Promise<string> =>
      mustRun(systemExec, 'ip', ['netns', 'exec', topology.node.slice('/run/netns/'.length), 'sh', '-c', script], { input });
    const listed = await run('nft list table ip6 kube-proxy');
    assert.equal(await run("unshare -n sh -c 'nft -f - && nft list table ip6 kube-proxy'", listed), listed);
    // nft 1.0.6 lists the rules of IPv6 affinity, but has too few registers to read them again.
    const sticky = planned('ClientIP');
    await nft.commit({ family: 'ip6', table: table.name, ops: diff(await nft.read('ip6', table.name), sticky) });
    assert.deepEqual(diff(await nft.read('ip6', table.name), sticky), []);
    assert.match(await run('nft list table ip6 kube-proxy'), /update @affinity-of-default\/web/);
  });
});
