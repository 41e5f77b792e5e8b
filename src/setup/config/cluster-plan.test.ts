import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ClusterPlan, type ClusterWish, endpointOf, planCluster } from './cluster-plan.ts';
import type { Documents, ExtraArgs } from './documents.ts';

const own = ['192.168.56.10'] as const;

test('planCluster() has presets for everything but the address', () => {
  assert.deepEqual(planCluster({}, {}, own), {
    clusterName: 'kubernetes',
    kubernetesVersion: undefined,
    podSubnet: '10.244.0.0/16',
    serviceSubnet: '10.96.0.0/16',
    nodeMasks: {},
    dnsDomain: 'cluster.local',
    kubernetesAddress: '10.96.0.1',
    dnsAddress: '10.96.0.10',
    addresses: own,
    advertiseAddress: '192.168.56.10',
    bindPort: 6443,
    endpoint: '192.168.56.10:6443',
    hasEndpoint: false,
    certSans: [],
    store: undefined,
    networkBackend: 'vxlan',
    proxy: {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      clusterCIDR: '10.244.0.0/16',
      mode: 'nftables',
    },
  });
});

const documents: Documents = {
  init: { localAPIEndpoint: { bindPort: 7443 } },
  cluster: {
    clusterName: 'mine',
    kubernetesVersion: 'v1.30.0',
    controlPlaneEndpoint: 'cluster.example',
    networking: { podSubnet: '10.200.0.0/16', serviceSubnet: '10.100.0.0/16', dnsDomain: 'example.local' },
    apiServer: { certSANs: ['a.example'] },
  },
  proxy: { mode: 'ipvs', ipvs: { scheduler: 'sh', strictARP: true }, clusterCIDR: '10.0.0.0/8' },
};

test('planCluster() takes what the configuration says', () => {
  const plan = planCluster({}, documents, own);
  assert.deepEqual(
    [plan.clusterName, plan.kubernetesVersion, plan.podSubnet, plan.serviceSubnet, plan.dnsDomain, plan.bindPort],
    ['mine', 'v1.30.0', '10.200.0.0/16', '10.100.0.0/16', 'example.local', 7443],
  );
  assert.deepEqual(
    [plan.endpoint, plan.hasEndpoint, plan.dnsAddress, plan.certSans],
    ['cluster.example:7443', true, '10.100.0.10', ['a.example']],
  );
  assert.deepEqual([plan.proxy.mode, plan.proxy.clusterCIDR], ['ipvs', '10.0.0.0/8']);
});

test('planCluster() takes what flags say over the configuration', () => {
  const wish: ClusterWish = {
    podSubnet: '10.201.0.0/16',
    serviceSubnet: '10.101.0.0/16',
    dnsDomain: 'flag.local',
    controlPlaneEndpoint: '192.168.56.99:443',
    bindPort: 8443,
    certSans: ['b.example'],
    networkBackend: 'host-gw',
    proxyMode: 'iptables',
    ipvsScheduler: 'lc',
  };
  const plan = planCluster(wish, documents, own);
  assert.deepEqual(
    [plan.podSubnet, plan.serviceSubnet, plan.dnsDomain, plan.endpoint, plan.bindPort, plan.networkBackend],
    ['10.201.0.0/16', '10.101.0.0/16', 'flag.local', '192.168.56.99:443', 8443, 'host-gw'],
  );
  assert.deepEqual(plan.certSans, ['a.example', 'b.example']);
  assert.deepEqual([plan.proxy.mode, plan.proxy.ipvs], ['iptables', { scheduler: 'lc', strictARP: true }]);
});

test('planCluster() reads an empty mode and range of the proxy as the presets, as kubeadm writes them', () => {
  const { proxy } = planCluster({}, { proxy: { mode: '', clusterCIDR: '' } }, own);
  assert.deepEqual([proxy.mode, proxy.clusterCIDR], ['nftables', '10.244.0.0/16']);
});

const refused: readonly (readonly [string, ClusterWish, RegExp])[] = [
  ['a range that is none', { podSubnet: 'x' }, /pod subnet "x": it is no range/],
  ['an address for a range', { podSubnet: '10.0.0.1' }, /it is no range/],
  [
    'a range of the other family',
    { serviceSubnet: 'fd00::/112' },
    /Service subnet "fd00::\/112": this machine is known by an IPv4 address/,
  ],
  ['two ranges of one family', { podSubnet: '10.244.0.0/16,10.245.0.0/16' }, /it is not one range, or one of each family/],
  ['three ranges', { podSubnet: '10.244.0.0/16,fd00::/56,fd01::/56' }, /it is not one range, or one of each family/],
  ['a second range without room', { podSubnet: '10.244.0.0/16,fd00::/96' }, /"fd00::\/96": a prefix of at most \/64/],
  ['the other family first', { podSubnet: 'fd00::/56,10.244.0.0/16' }, /this machine is known by an IPv4 address/],
  [
    'Services of a family that pods do not have',
    { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/16,fd00:10:96::/112' },
    /"10.96.0.0\/16,fd00:10:96::\/112" for Services: pods have addresses of IPv4 alone/,
  ],
  ['second ranges that overlap', { podSubnet: '10.244.0.0/16,fd00::/56', serviceSubnet: '10.96.0.0/16,fd00::/112' }, /they overlap/],
  ['a range without room for nodes', { podSubnet: '10.0.0.0/25' }, /at most \/24/],
  ['a range without room for Services', { serviceSubnet: '10.0.0.0/29' }, /at most \/28/],
  ['ranges that overlap', { podSubnet: '10.96.0.0/14' }, /they overlap/],
  ["a range with the machine's address", { podSubnet: '192.168.0.0/16' }, /the address of this machine, 192.168.56.10, is in it/],
  ['a domain that is no name', { dnsDomain: 'Bad Domain!' }, /DNS domain "Bad Domain!": it is no name of DNS/],
  ['an empty domain', { dnsDomain: '' }, /DNS domain "": it is no name of DNS/],
  ['a name for the certificate that is none', { certSans: ['a.example', 'a b'] }, /certificate name "a b": it is no name of DNS/],
  ['a star alone', { certSans: ['*'] }, /certificate name "\*": it is no name/],
  ['a port of the endpoint that is none', { controlPlaneEndpoint: 'x:99999' }, /"x:99999": port 99999: it is no port/],
  ['an endpoint that is none', { controlPlaneEndpoint: 'a b' }, /it is no address and no name/],
];

test('planCluster() takes addresses, names and stars for the certificate', () => {
  const certSans = ['192.0.2.1', 'fd00::1', '*.example.org'];
  assert.deepEqual(planCluster({ certSans }, {}, own).certSans, certSans);
});

test('planCluster() takes what is empty in a file for what is not there, as kubeadm does', () => {
  const empty: Documents = {
    init: { localAPIEndpoint: { bindPort: 0 } },
    cluster: { controlPlaneEndpoint: '', networking: { dnsDomain: '' } },
  };
  assert.deepEqual(planCluster({}, empty, own), planCluster({}, {}, own));
});

describe('planCluster() refuses', () => {
  for (const bindPort of [70_000, 65_536, -1, 6443.5])
    test(`the port ${bindPort}`, () => {
      for (const [wish, documents] of [
        [{ bindPort }, {}],
        [{}, { init: { localAPIEndpoint: { bindPort } } }],
      ] as const)
        assert.throws(() => planCluster(wish, documents, own), { code: 'BAD_CONFIG', message: /bindPort .*: it is no port/ });
    });

  for (const [what, wish, message] of refused)
    test(what, () => assert.throws(() => planCluster(wish, {}, own), { code: 'BAD_CONFIG', message }));
});

test('planCluster() of a machine that is known by an address of IPv6 has ranges of IPv6', () => {
  const plan = planCluster({}, {}, ['fd00:192:168:56::10']);
  assert.deepEqual([plan.podSubnet, plan.serviceSubnet], ['fd00:10:244::/56', 'fd00:10:96::/112']);
  assert.deepEqual([plan.kubernetesAddress, plan.dnsAddress], ['fd00:10:96::1', 'fd00:10:96::a']);
  assert.equal(plan.endpoint, '[fd00:192:168:56::10]:6443');
  assert.throws(() => planCluster({ serviceSubnet: 'fd00::/64' }, {}, ['fd00:1::1']), /a prefix of at least \/108 is needed/);
});

const both = ['192.168.56.10', 'fd00:192:168:56::10'] as const;
const subnets = ({ podSubnet, serviceSubnet }: ClusterPlan): string[] => [podSubnet, serviceSubnet];
const ofBoth = ['10.244.0.0/16,fd00:10:244::/56', '10.96.0.0/16,fd00:10:96::/112'];

test('planCluster() gives a cluster of both families what was not said of either', () => {
  const plan = planCluster({ podSubnet: '10.244.0.0/16, fd00:10:244::/56' }, {}, both);
  assert.deepEqual(subnets(plan), ofBoth);
  assert.deepEqual([plan.addresses, plan.advertiseAddress, plan.endpoint], [both, both[0], '192.168.56.10:6443']);
  assert.deepEqual([plan.kubernetesAddress, plan.dnsAddress, plan.proxy.clusterCIDR], ['10.96.0.1', '10.96.0.10', ofBoth[0]]);
  assert.deepEqual(subnets(planCluster({ serviceSubnet: ofBoth[1] }, {}, both)), ofBoth);
  assert.deepEqual(subnets(planCluster({}, {}, both)), ofBoth, 'by the addresses of the machine');
});

test('planCluster() takes pods of both families with Services of one, and addresses that pods do not need', () => {
  assert.deepEqual(subnets(planCluster({ podSubnet: ofBoth[0], serviceSubnet: '10.96.0.0/16' }, {}, both)), [ofBoth[0], '10.96.0.0/16']);
  assert.deepEqual(subnets(planCluster({ podSubnet: '10.244.0.0/16' }, {}, both)), ['10.244.0.0/16', '10.96.0.0/16']);
});

test('planCluster() has IPv6 first where the machine has', () => {
  const plan = planCluster({ podSubnet: 'fd00:10:244::/56,10.244.0.0/16' }, {}, [both[1], both[0]]);
  assert.deepEqual([plan.serviceSubnet, plan.dnsAddress], ['fd00:10:96::/112,10.96.0.0/16', 'fd00:10:96::a']);
});

test('planCluster() refuses a range with any address of the machine', () => {
  const wish = { podSubnet: '10.244.0.0/16,fd00:192:168::/48' };
  assert.throws(() => planCluster(wish, {}, both), {
    code: 'BAD_CONFIG',
    message: /the address of this machine, fd00:192:168:56::10, is in it/,
  });
});

describe('planCluster() lets the controller manager', () => {
  const planned = (podSubnet: string, extraArgs: ExtraArgs): ClusterPlan =>
    planCluster({ podSubnet }, { cluster: { controllerManager: { extraArgs } } }, podSubnet.startsWith('fd') ? [both[1]] : both);

  test('give nodes parts of another size, and takes ranges that have room for those', () => {
    const list = [
      { name: 'node-cidr-mask-size-ipv4', value: '26' },
      { name: 'node-cidr-mask-size-ipv6', value: '80' },
    ];
    const { nodeMasks, podSubnet } = planned('10.244.0.0/25,fd00:10:244::/72', list);
    assert.deepEqual(nodeMasks, { 'node-cidr-mask-size-ipv4': '26', 'node-cidr-mask-size-ipv6': '80' });
    assert.equal(podSubnet, '10.244.0.0/25,fd00:10:244::/72');
    planned('10.244.0.0/25', { 'node-cidr-mask-size': '25' });
    planned('fd00:10:244::/104', { 'node-cidr-mask-size': '120' });
  });

  test('have one size where no range says that pods have both families, by refusing it', () => {
    const cluster = { controllerManager: { extraArgs: { 'node-cidr-mask-size': '26' } } };
    for (const wish of [{}, { serviceSubnet: ofBoth[1] }])
      assert.throws(() => planCluster(wish, { cluster }, both), { code: 'BAD_CONFIG', message: /pods have ranges of both families/ });
    assert.equal(planCluster({ serviceSubnet: '10.96.0.0/16' }, { cluster }, both).podSubnet, '10.244.0.0/16');
  });

  for (const [what, podSubnet, extraArgs, message] of [
    ['no part of that size', '10.244.0.0/16', { 'node-cidr-mask-size': '31' }, /mask-size "31": it is no length of a prefix of IPv4/],
    ['a word', '10.244.0.0/16', { 'node-cidr-mask-size-ipv6': 'large' }, /mask-size-ipv6 "large": it is no length/],
    ['one size for both families', ofBoth[0], { 'node-cidr-mask-size': '25' }, /pods have ranges of both families/],
    ['parts that are larger than the range', '10.244.0.0/16', { 'node-cidr-mask-size': '15' }, /a prefix of at most \/15 is needed/],
    ['more parts than upstream counts', 'fd00:10:244::/56', { 'node-cidr-mask-size': '80' }, /a prefix of at least \/64 is needed/],
    [
      'what Fairlead has no setting for',
      '10.244.0.0/16',
      { 'pod-eviction-timeout': '1s' },
      /controllerManager.extraArgs.pod-eviction-timeout/,
    ],
  ] as const)
    test(`have ${what}, by refusing it`, () => assert.throws(() => planned(podSubnet ?? '', extraArgs), { code: 'BAD_CONFIG', message }));
});

for (const [text, wanted] of [
  ['10.0.0.1', '10.0.0.1:6443'],
  ['10.0.0.1:443', '10.0.0.1:443'],
  ['cluster.example', 'cluster.example:6443'],
  ['[fd00::1]:443', '[fd00::1]:443'],
  ['fd00::10', '[fd00::10]:6443'],
  ['[fd00::10]', '[fd00::10]:6443'],
] as const)
  test(`endpointOf() reads ${text} as ${wanted}`, () => assert.equal(endpointOf(text, 6443), wanted));
