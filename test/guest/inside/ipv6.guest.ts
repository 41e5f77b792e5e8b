/** Mode ipvs in IPv6 with real connections. Runs in the guest. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../../../src/api/schema/types.ts';
import { Namespaces } from '../../../src/linux/testing/namespaces.ts';
import type { IpvsMode } from '../../../src/proxy/mode/ipvs/ipvs-mode.ts';
import { execIn, ipvsModeIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import type { NodeContext } from '../../../src/proxy/plan/node-context.ts';
import { Planner } from '../../../src/proxy/plan/planner.ts';

const node: NodeContext = {
  family: 'ip6',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: 'fd01::/16' },
  masqueradeAll: false,
  nodePortIps: ['fd01::1'],
  serviceCidrs: ['fd00:96::/112'],
  nodeIps: ['fd01::1'],
};

function service(name: string, clusterIP: string, spec: Partial<NonNullable<Service['spec']>> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'n' },
    spec: { type: 'ClusterIP', clusterIP, ports: [{ port: 80 }], ...spec },
  };
}

const slice: EndpointSlice = {
  apiVersion: 'v1',
  kind: 'EndpointSlice',
  metadata: { name: 's' },
  addressType: 'IPv6',
  ports: [{ name: '', port: 8080 }],
  endpoints: [{ addresses: ['fd02::2'], nodeName: 'node1' }],
};

const served = "require('net').createServer((s) => s.end(s.remoteAddress)).listen(8080, '::', () => console.log('up'))";

describe('mode ipvs in IPv6', { concurrency: false }, () => {
  const net = new Namespaces();
  let mode: IpvsMode;

  before(async () => {
    await net.add('node', 'pod', 'server');
    for (const [peer, range] of [
      ['pod', 'fd01'],
      ['server', 'fd02'],
    ] as const) {
      await net.ip('node', `link add to-${peer} type veth peer name eth0 netns @${peer}`);
      await net.ip('node', `addr add ${range}::1/64 dev to-${peer} nodad`);
      await net.ip('node', `link set to-${peer} up`);
      await net.ip(peer, `addr add ${range}::2/64 dev eth0 nodad`);
      await net.ip(peer, 'link set eth0 up');
      await net.ip(peer, `route add default via ${range}::1`);
    }
    await net.run('node', 'sh', ['-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding']);
    const server = net.start('server', process.execPath, ['-e', served]);
    if (server.stdout) await once(server.stdout, 'data');
    mode = ipvsModeIn(net.path('node'));
    await mode.probe();
    const rules = await mode.open(node);
    const planner = new Planner(node, mode.algorithms);
    const external = { externalIPs: ['2001:db8::5'], externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30_080 }] };
    planner.put('n/web', service('web', 'fd00:96::1', { type: 'NodePort', ...external }), [slice]);
    planner.put('n/none', service('none', 'fd00:96::2'), []);
    for (const [key, { after: plan }] of planner.take()) rules.put(key, plan);
    await rules.sync();
    rules.distrust();
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
  });
  after(async () => {
    await mode?.cleanUp();
    mode?.close();
    await net[Symbol.asyncDispose]();
  });

  /** Who the server sees, or that nobody answers. */
  async function ask(from: string, to: string): Promise<string> {
    const { code, stdout } = await net.run(from, 'curl', ['-s', '-m', '60', '--http0.9', `http://${to}/`]);
    // 7 of curl: the connection was refused.
    return code === 0 ? stdout : code === 7 ? 'refused' : `code ${code}`;
  }

  for (const [from, to, seen] of [
    ['pod', '[fd00:96::1]:80', 'fd01::2'],
    ['node', '[fd00:96::1]:80', 'fd02::1'],
    ['pod', '[2001:db8::5]:80', 'fd01::2'],
    ['node', '[2001:db8::5]:80', 'fd02::1'],
    ['pod', '[fd01::1]:30080', 'fd01::2'],
    ['pod', '[fd00:96::2]:80', 'refused'],
    ['node', '[fd00:96::2]:80', 'refused'],
    ['pod', '[fd00:96::1]:81', 'refused'],
    ['pod', '[fd00:96::77]:80', 'refused'],
  ] as const)
    test(`${from} at ${to}: ${seen}`, async () => assert.equal(await ask(from, to), seen));

  test('all of it goes', async () => {
    await mode.cleanUp();
    const { stdout } = await execIn(net.path('node')).run('sh', [
      '-c',
      'ipvsadm -Sn; ipset save; ip6tables-save | grep KUBE; ip link show kube-ipvs0 2>/dev/null',
    ]);
    assert.equal(stdout.trim(), '');
  });
});
