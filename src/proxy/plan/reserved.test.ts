import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Node } from '../../api/schema/types.ts';
import { cidrContains, mustCidr } from '../../ip/ip.ts';
import { reservedOf, whyReserved } from './reserved.ts';
import type { Frontend, Protocol } from './service-plan.ts';

function node(name: string, kubeletPort: number, ...ips: string[]): Node {
  const addresses = ips.map((address, i) => ({ type: i === 0 ? 'InternalIP' : 'ExternalIP', address }));
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: [...addresses, { type: 'Hostname', address: name }], daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } } },
  };
}

function slice(ip: string, port: number, protocol = 'TCP'): EndpointSlice {
  const ports = [{ name: '', port, protocol }];
  return { apiVersion: 'v1', kind: 'EndpointSlice', metadata: { name: 's' }, addressType: 'IPv4', ports, endpoints: [{ addresses: [ip] }] };
}

const slices: Readonly<Record<string, EndpointSlice[]>> = {
  'default/kubernetes': [slice('192.0.2.1', 6443)],
  'kube-system/kube-dns': [slice('192.0.2.3', 53, 'UDP')],
};

const reserved = reservedOf({
  nodes: [
    node('control', 10_250, '192.0.2.1', '203.0.113.1', 'fd00::1'),
    node('here', 10_251, '192.0.2.2'),
    node('there', 10_250, '192.0.2.3'),
  ],
  slicesOf: (key) => slices[key] ?? [],
  apiServer: { ip: '192.0.2.100', port: 8443 },
  addresses: [
    { ip: '127.0.0.1', prefix: 8 },
    { ip: '192.0.2.2', prefix: 32 },
    { ip: '10.244.2.1', prefix: 24 },
    { ip: '198.51.100.7', prefix: 32 },
    { ip: '2001:db8::7', prefix: 128 },
  ],
  listeners: [
    { protocol: 'tcp', port: 22 },
    { protocol: 'udp', port: 4789 },
    { protocol: 'tcp', port: 30_022 },
    { protocol: 'tcp', port: 9100, ip: '192.0.2.2' },
    { protocol: 'tcp', port: 30_100, ip: '192.0.2.2' },
    { protocol: 'tcp', port: 443, ip: '198.51.100.7' },
    { protocol: 'tcp', port: 2381, ip: '127.0.0.1' },
    { protocol: 'tcp', port: 30_127, ip: '127.0.0.1' },
  ],
});
const ranges = [mustCidr('10.96.0.0/16'), mustCidr('fd00:10:96::/112')];

/** `ip:port`, or a port alone for a node port. */
function why(to: string, protocol: Protocol = 'tcp', kind?: Frontend['kind']): string | undefined {
  const cut = to.lastIndexOf(' ');
  const ip = cut < 0 ? undefined : to.slice(0, cut);
  const what = kind ?? (ip === undefined ? 'node-port' : 'external-ip');
  const frontend: Frontend = { kind: what, port: Number(to.slice(cut + 1)), inside: 'cluster', outside: 'cluster', masquerade: 'always' };
  const isOfServices = (address: string): boolean => ranges.some((range) => cidrContains(range, address));
  return whyReserved(ip === undefined ? frontend : { ...frontend, ip }, protocol, reserved, isOfServices);
}

describe('whyReserved()', () => {
  const kept: [to: string, protocol: Protocol, why: RegExp][] = [
    ['192.0.2.1 6443', 'tcp', /API server/],
    // It listens on every address of its node.
    ['203.0.113.1 6443', 'tcp', /API server/],
    ['fd00::1 6443', 'tcp', /API server/],
    ['192.0.2.100 8443', 'tcp', /reaches the API server/],
    ['192.0.2.3 53', 'udp', /DNS/],
    ['192.0.2.1 10250', 'tcp', /part of node "control"/],
    ['203.0.113.1 10250', 'tcp', /part of node "control"/],
    ['192.0.2.2 10251', 'tcp', /part of node "here"/],
    ['192.0.2.3 10250', 'tcp', /part of node "there"/],
    ['192.0.2.3 10256', 'tcp', /part of node "there"/],
    ['192.0.2.1 2379', 'tcp', /part of node "control"/],
    ['192.0.2.1 10257', 'tcp', /part of node "control"/],
    ['192.0.2.2 22', 'tcp', /this node listens/],
    ['10.244.2.1 22', 'tcp', /this node listens/],
    ['192.0.2.2 4789', 'udp', /this node listens/],
    ['192.0.2.2 9100', 'tcp', /this node listens/],
    ['198.51.100.7 443', 'tcp', /this node listens/],
    ['30022', 'tcp', /this node listens/],
    ['30100', 'tcp', /this node listens/],
    ['10251', 'tcp', /part of node "here"/],
    ['10.96.7.7 80', 'tcp', /Service range/],
    ['fd00:10:96::7 80', 'udp', /Service range/],
    ...['127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '169.254.169.254', '::', '::1', 'ff02::1', 'fe80::1'].map(
      (ip) => [`${ip} 80`, 'tcp', /every host/] as [string, Protocol, RegExp],
    ),
  ];
  for (const [to, protocol, reason] of kept) test(`keeps ${protocol} ${to}`, () => assert.match(why(to, protocol) ?? 'nothing', reason));

  const free: [what: string, to: string, protocol?: Protocol][] = [
    ["a free port of this node's address", '192.0.2.2 80'],
    ["a free port of another node's address", '192.0.2.3 443'],
    ['a port at which only another node listens', '192.0.2.3 22'],
    ['the number of a part, for another protocol', '192.0.2.3 10250', 'udp'],
    ["the API server's number on a worker", '192.0.2.3 6443'],
    ["etcd's number on a worker", '192.0.2.3 2379'],
    ['a port of this node that another of its addresses listens on', '10.244.2.1 9100'],
    ['a port of every address, on one that floats from node to node', '198.51.100.7 22'],
    ['the same of IPv6', '2001:db8::7 22'],
    ['what listens on loopback alone', '192.0.2.2 2381'],
    ['a node port that nobody listens on', '30080'],
    ['a node port whose number listens on loopback alone', '30127'],
    ['a node port whose number listens for another protocol', '4789'],
    ['an address of the world', '198.51.100.1 6443'],
  ];
  for (const [what, to, protocol] of free) test(`leaves ${what} free`, () => assert.equal(why(to, protocol), undefined));

  test('never takes a cluster IP from its Service', () => assert.equal(why('10.96.0.1 443', 'tcp', 'cluster-ip'), undefined));
});

test('reservedOf() reads over addresses that are null, and goes on with the others', () => {
  const nothing = null as unknown as string[];
  const ports = [{ name: '', port: 6443, protocol: 'TCP' }];
  const endpoints = [{ addresses: nothing }, { addresses: ['192.0.2.1'] }];
  const odd: EndpointSlice = { apiVersion: 'v1', kind: 'EndpointSlice', metadata: { name: 's' }, addressType: 'IPv4', ports, endpoints };
  const addresses = [null as unknown as string, '192.0.2.1'].map((address) => ({ type: 'InternalIP', address }));
  const nodes = [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status: { addresses } }];
  const { servers, nodes: places } = reservedOf({ nodes, slicesOf: () => [odd], addresses: [], listeners: [] });
  assert.deepEqual([[...servers.keys()], [...places.keys()]], [['192.0.2.1 . tcp . 6443'], ['192.0.2.1']]);
});
