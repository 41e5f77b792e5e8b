import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LocalDetector, NodeContext } from '../../plan/node-context.ts';
import { affinitySet, chainsOf, dynamicSets, onDemand, setsOf } from './layout.ts';

function node(fields: Partial<NodeContext> = {}): NodeContext {
  const base = { family: 'ip', nodeName: 'n1', local: { mode: 'None' }, masqueradeAll: false } as const;
  return { ...base, nodePortIps: 'all', serviceCidrs: [], nodeIps: [], ...fields };
}

function rulesOf(name: string, fields: Partial<NodeContext>): readonly string[] {
  return chainsOf(node(fields)).find((chain) => chain.name === name)?.rules ?? [];
}

describe('the table of IPv6', () => {
  /** What a rule or declaration of IPv4 is in IPv6. */
  const inIpv6 = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value)
        .replaceAll('ipv4_addr', 'ipv6_addr')
        .replaceAll(/\bip (saddr|daddr|to)\b/g, 'ip6 $1')
        .replaceAll('127.0.0.0/8', '::1'),
    );
  const family = 'ip6';

  test('has the sets of IPv4, with other addresses', () => {
    for (const nodePortIps of ['all', []] as const)
      assert.deepEqual(setsOf({ family, nodePortIps }), inIpv6(setsOf({ family: 'ip', nodePortIps })));
  });

  for (const nodePortIps of ['all', []] as const)
    test(`has the chains of IPv4, with node ports at ${JSON.stringify(nodePortIps)}`, () =>
      assert.deepEqual(chainsOf(node({ family, nodePortIps })), inIpv6(chainsOf(node({ nodePortIps })))));

  for (const name of ['lb-3', 'nodeport-local-2', 'recall-n/a', 'learn-10800-n/a'])
    test(`makes ${name} as IPv4 does`, () => assert.deepEqual(onDemand(name, { family }), inIpv6(onDemand(name, { family: 'ip' }))));
});

describe('the packets of pods', () => {
  const cases: readonly [local: LocalDetector, notPod: string][] = [
    [{ mode: 'ClusterCIDR', cidr: '10.244.0.0/16' }, 'ip saddr != 10.244.0.0/16 '],
    [{ mode: 'NodeCIDR', cidr: '10.244.1.0/24' }, 'ip saddr != 10.244.1.0/24 '],
    [{ mode: 'BridgeInterface', interface: 'cni0' }, 'iifname != "cni0" '],
    [{ mode: 'InterfaceNamePrefix', prefix: 'veth' }, 'iifname != "veth*" '],
    [{ mode: 'None' }, ''],
  ];
  for (const [local, notPod] of cases)
    test(`are told from others by ${JSON.stringify(local)}`, () => {
      const frontend = 'ip daddr . meta l4proto . th dport';
      assert.equal(rulesOf('services', { local })[1], `${notPod}fib saddr type != local ${frontend} vmap @local-services`);
      const masquerades = rulesOf('masquerading', { local }).filter((rule) => rule.includes('@cluster-ips') && rule.endsWith('goto masq'));
      assert.deepEqual(masquerades, notPod ? [`ct original ip daddr @cluster-ips ${notPod}goto masq`] : []);
      const all = rulesOf('masquerading', { local, masqueradeAll: true }).filter((rule) => rule.endsWith('@cluster-ips goto masq'));
      assert.deepEqual(all, ['ct original ip daddr @cluster-ips goto masq'], 'all are masqueraded');
    });
});

describe('who came to a node port', () => {
  const asked = (fields: Partial<NodeContext>): readonly (string | undefined)[] => [
    rulesOf('nodeports', fields)[0],
    rulesOf('masquerading', fields).at(-1),
    rulesOf('learning-tcp', fields).at(-1),
  ];

  test('is known by the address that was asked for, which is noted where all addresses serve node ports', () => {
    assert.deepEqual(asked({}), [
      'update @asked-node-ips { ip daddr counter }',
      'meta l4proto sctp ct original ip daddr @asked-node-ips meta l4proto . ct original proto-dst vmap @masquerade-nodeports',
      'meta l4proto tcp ct original ip daddr @asked-node-ips meta l4proto . ct original proto-dst vmap @affinity-nodeports',
    ]);
    const { dynamic } = setsOf(node()).find(({ name }) => name === 'asked-node-ips') ?? {};
    assert.ok(dynamic && dynamicSets.has('asked-node-ips'), 'what is in it is no drift');
  });

  test('is known by the addresses that serve them, where some do', () => {
    const nodePortIps = ['192.168.120.11'];
    assert.deepEqual(asked({ nodePortIps }), [
      'meta l4proto . th dport vmap @recall-nodeports',
      'meta l4proto sctp ct original ip daddr @nodeport-ips meta l4proto . ct original proto-dst vmap @masquerade-nodeports',
      'meta l4proto tcp ct original ip daddr @nodeport-ips meta l4proto . ct original proto-dst vmap @affinity-nodeports',
    ]);
    assert.ok(!setsOf(node({ nodePortIps })).some(({ name }) => name === 'asked-node-ips'));
  });
});

test('an address of the Service ranges that nobody has is refused, last', () => {
  assert.deepEqual(rulesOf('unserved', { serviceCidrs: ['10.96.0.0/16', '10.97.0.0/16'] }).slice(-3), [
    'ip daddr @cluster-ips goto refuse',
    'ip daddr 10.96.0.0/16 goto refuse',
    'ip daddr 10.97.0.0/16 goto refuse',
  ]);
});

test('node ports are served at the addresses of the node but loopback, or at those of a set', () => {
  assert.equal(rulesOf('services', {}).at(-1), 'fib daddr type local ip daddr != 127.0.0.0/8 goto nodeports');
  assert.equal(rulesOf('services', { nodePortIps: ['192.168.1.1'] }).at(-1), 'ip daddr @nodeport-ips goto nodeports');
});

describe('onDemand()', () => {
  const rules: readonly [name: string, rule: string][] = [
    ['lb-3', 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 3 map @endpoints'],
    ['local-12', 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 12 offset 65536 map @endpoints'],
    ['nodeport-lb-1', 'dnat ip to meta l4proto . th dport . numgen random mod 1 map @nodeport-endpoints'],
    ['nodeport-local-2', 'dnat ip to meta l4proto . th dport . numgen random mod 2 offset 65536 map @nodeport-endpoints'],
    ['recall-n/a', 'dnat ip to ip saddr . ip daddr . meta l4proto . th dport map @affinity-of-n/a'],
  ];
  for (const [name, rule] of rules)
    test(`${name} sends packets on`, () => assert.deepEqual(onDemand(name, { family: 'ip' })?.chain, { name, rules: [rule] }));

  test('learn-… remembers the client for so long, by each transport', () => {
    const learn = onDemand('learn-60-n/a', { family: 'ip' });
    const key = 'ct original ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst';
    const rule = (transport: string): string =>
      `meta l4proto ${transport} update @affinity-of-n/a { ${key} timeout 1m : ct reply ip saddr . ct reply proto-src }`;
    assert.deepEqual(learn?.chain, { name: 'learn-60-n/a', rules: ['tcp', 'udp', 'sctp'].map(rule) });
    assert.deepEqual(learn?.set, affinitySet('n/a', { family: 'ip' }));
  });

  for (const name of ['services', 'masq', 'lb-', 'lb-3x', 'x-lb-3', 'recall-a', 'learn-n/a'])
    test(`${name} is none of them`, () => assert.equal(onDemand(name, { family: 'ip' }), undefined));
});

test('the set of clients with affinity is the traffic’s, and bounded', () => {
  const { name, dynamic } = affinitySet('n/a', { family: 'ip' });
  assert.deepEqual([name, dynamic], ['affinity-of-n/a', { size: 65_535 }]);
  assert.deepEqual(
    [dynamicSets.has(name), dynamicSets.has('affinity-services'), dynamicSets.has('x-affinity-of-n/a')],
    [true, false, false],
  );
});
