import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoint, EndpointSlice, Node, Service } from '../api/schema/types.ts';
import { announcedAddresses, announcerOf, announcesBy, linksFor, mayAnnounce } from './choose.ts';

function service(ips: readonly string[], more: { policy?: string; type?: string; announce?: string } = {}): Service {
  const { policy = 'Cluster', type = 'LoadBalancer', announce = 'layer2' } = more;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', annotations: { 'fairlead.dev/announce': announce } },
    spec: { type, externalTrafficPolicy: policy },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  };
}

const slice = (...endpoints: Endpoint[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'default' },
  addressType: 'IPv4',
  endpoints,
});
const on = (nodeName: string, conditions: Endpoint['conditions'] = { ready: true }): Endpoint => ({
  addresses: ['10.244.1.2'],
  nodeName,
  conditions,
});
const all = ['a', 'b', 'c', 'd'];
const ready = [slice(on('a'))];

describe('announcedAddresses()', () => {
  for (const [name, subject, expected] of [
    ['are those that the Service shows', service(['192.0.2.1', 'fd00:0::1']), ['192.0.2.1', 'fd00::1']],
    ['are none where routers have routes', service(['192.0.2.1'], { announce: 'routed' }), []],
    ['are none of another type', service(['192.0.2.1'], { type: 'ClusterIP' }), []],
    ['are none that cannot be read', service(['x', '']), []],
  ] as const)
    test(name, () => assert.deepEqual(announcedAddresses(subject), expected));
});

describe('announcerOf()', () => {
  test('is one node, the same whoever asks, in whatever order', () => {
    const chosen = announcerOf(service(['192.0.2.1']), ready, all);
    assert.ok(chosen !== undefined && all.includes(chosen));
    assert.equal(announcerOf(service(['192.0.2.1']), ready, all.toReversed()), chosen);
  });

  test('spreads addresses over the nodes', () => {
    const counts = new Map<string, number>();
    for (let i = 1; i <= 200; i++) {
      const node = announcerOf(service([`192.0.2.${i}`]), ready, all) ?? '';
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    assert.equal(counts.size, 4);
    for (const [node, count] of counts) assert.ok(count > 25, `${node} has ${count} of 200`);
  });

  test('moves only the addresses of a node that goes', () => {
    for (let i = 1; i <= 50; i++) {
      const subject = service([`192.0.2.${i}`]);
      const before = announcerOf(subject, ready, all);
      if (before !== 'c') assert.equal(announcerOf(subject, ready, ['a', 'b', 'd']), before);
    }
  });

  test('is the same for both families, and for Services that share an address', () => {
    const one = announcerOf(service(['192.0.2.1', 'fd00::1']), ready, all);
    assert.equal(announcerOf(service(['192.0.2.1']), [slice(on('d'))], all), one);
  });

  for (const [name, policy, slices, expected] of [
    ['is nobody without endpoints', 'Cluster', [], undefined],
    ['is nobody while none is ready', 'Cluster', [slice(on('a', { ready: false }))], undefined],
    ['is a node with an endpoint under policy Local', 'Local', [slice(on('b'))], 'b'],
    ['is no node whose endpoint is not ready', 'Local', [slice(on('a', { ready: false }), on('c'))], 'c'],
    [
      'is a node whose endpoint ends, when there is no other',
      'Local',
      [slice(on('b', { ready: false, serving: true, terminating: true }))],
      'b',
    ],
    ['is nobody when the endpoints are on nodes that cannot', 'Local', [slice(on('elsewhere'))], undefined],
    ['takes an endpoint that says nothing for ready', 'Local', [slice({ addresses: ['10.0.0.1'], nodeName: 'd' })], 'd'],
  ] as const)
    test(name, () => assert.equal(announcerOf(service(['192.0.2.1'], { policy }), slices, all), expected));
});

describe('mayAnnounce()', () => {
  const node = (metadata: Partial<Node['metadata']>, conditions: NonNullable<Node['status']>['conditions'] = []): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'a', ...metadata },
    status: { conditions },
  });
  for (const [name, subject, expected] of [
    ['a node may', node({}), true],
    ['one that is excluded may not', node({ labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }), false],
    ['one without a network may not', node({}, [{ type: 'NetworkUnavailable', status: 'True' }]), false],
    ['one whose network is there may', node({}, [{ type: 'NetworkUnavailable', status: 'False' }]), true],
    ['one that is being deleted may not', node({ deletionTimestamp: '2026-01-01T00:00:00Z' }), false],
  ] as const)
    test(name, () => assert.equal(mayAnnounce(subject), expected));
});

describe('announcesBy()', () => {
  const may = (text: string | undefined, labels: Record<string, string>): boolean => {
    const subject = service(['192.0.2.1']);
    const annotations = { ...subject.metadata.annotations, ...(text === undefined ? {} : { 'fairlead.dev/announce-nodes': text }) };
    return announcesBy({ ...subject, metadata: { ...subject.metadata, annotations } })(labels);
  };
  for (const [name, text, labels, expected] of [
    ['every node may, where nothing is said', undefined, {}, true],
    ['a node that one of the selectors matches may', 'rack=1; edge', { edge: '' }, true],
    ['a node that none matches may not', 'rack=1; edge', { rack: '2' }, false],
    ['nobody may, where the text is no selector', 'rack=1; a b', { rack: '1' }, false],
  ] as const)
    test(name, () => assert.equal(may(text, labels), expected));
});

describe('linksFor()', () => {
  const links = (text: string | undefined, names: readonly string[]): readonly string[] | undefined => {
    const subject = service(['192.0.2.1']);
    const annotations = { ...subject.metadata.annotations, ...(text === undefined ? {} : { 'fairlead.dev/announce-interfaces': text }) };
    return linksFor({ ...subject, metadata: { ...subject.metadata, annotations } }, names);
  };
  for (const [name, text, names, expected] of [
    ['all, where nobody says which', undefined, [], []],
    ['those of the node', undefined, ['eth0'], ['eth0']],
    ['those of the Service', 'eth1,eth2', [], ['eth1', 'eth2']],
    ['those of both', 'eth1,eth2', ['eth0', 'eth2'], ['eth2']],
    ['none, where they have none in common', 'eth1', ['eth0'], undefined],
  ] as const)
    test(name, () => assert.deepEqual(links(text, names), expected));
});
