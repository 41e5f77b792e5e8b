/** The proxy at work on a real kernel, in every mode that this one has; and what is of mode nftables alone. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { inNetns } from '../../src/linux/netns.ts';
import { diff } from '../../src/linux/nftables/diff.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import type { Table } from '../../src/linux/nftables/table.ts';
import { affinitySet } from '../../src/proxy/mode/nftables/layout.ts';
import { renderTable } from '../../src/proxy/mode/nftables/render-table.ts';
import { nftablesFace } from '../../src/proxy/mode/nftables/testing/face.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import { planService } from '../../src/proxy/plan/plan-service.ts';
import { probe } from './probe.ts';
import { cluster, endpoints, LiveNode, pod, testLive, timeoutMs, vip } from './testing/live-suite.ts';

const needsRoot = process.getuid?.() === 0 ? undefined : 'needs root';

for (const face of faces) testLive(face, needsRoot ?? (await face.lacking()) ?? false);

describe('mode nftables by itself', { skip: needsRoot ?? false, concurrency: false }, () => {
  let node: LiveNode;
  let nft: KernelNftables;
  before(async () => {
    node = await LiveNode.create(nftablesFace, 'one');
    nft = inNetns(node.topology.node, () => new KernelNftables());
  });
  afterEach(() => node.clear());
  after(async () => {
    nft?.close();
    await node?.[Symbol.asyncDispose]();
  });

  test('serves a Service that remembers as many clients as it can, and has others remember theirs', async () => {
    const made = cluster({ sessionAffinity: 'ClientIP' });
    made.service('other', '10.96.0.101', { sessionAffinity: 'ClientIP' });
    made.endpoints('other', endpoints);
    await node.start(made);
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
      const answer = await node.ask();
      assert.equal(answer.kind, 'answered');
      if (answer.kind === 'answered') answers.add(answer.by);
    }
    assert.equal(answers.size, endpoints.length);
    const others = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const answer = await probe(node.topology.namespaceOf(pod), '10.96.0.101', 80, 'tcp', timeoutMs);
      if (answer.kind === 'answered') others.add(answer.by);
    }
    assert.equal(others.size, 1);
    const remembered = await nft.readElements('ip', 'kube-proxy', affinitySet('default/other', { family: 'ip' }));
    assert.equal(remembered.size, 1);
  });

  test('survives what the kernel tells of thousands of Services that come at once', async () => {
    const made = cluster();
    for (let n = 0; n < 5_000; n++) {
      made.service(`s${n}`, `10.96.${8 + (n >> 8)}.${n & 255}`);
      made.endpoints(`s${n}`, endpoints);
    }
    await node.start(made);
    assert.equal((await node.ask()).kind, 'answered');
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
    const context = {
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
        context,
      );
      assert.ok(plan);
      return renderTable([plan], context);
    };
    const table = planned('None');
    await nft.commit({ family: 'ip6', table: table.name, ops: diff(undefined, table) });
    assert.deepEqual(diff(await nft.read('ip6', table.name), table), []);
    const listed = await node.sh('nft list table ip6 kube-proxy');
    assert.equal(await node.sh("unshare -n sh -c 'nft -f - && nft list table ip6 kube-proxy'", listed), listed);
    // nft 1.0.6 lists the rules of IPv6 affinity, but has too few registers to read them again.
    const sticky = planned('ClientIP');
    await nft.commit({ family: 'ip6', table: table.name, ops: diff(await nft.read('ip6', table.name), sticky) });
    assert.deepEqual(diff(await nft.read('ip6', table.name), sticky), []);
    assert.match(await node.sh('nft list table ip6 kube-proxy'), /update @affinity-of-default\/web/);
  });
});
