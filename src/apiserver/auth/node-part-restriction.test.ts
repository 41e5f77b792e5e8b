import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type NodePart, nodePartGroup, nodePartOf, nodePartUser } from '../../api/node-parts.ts';
import type { EndpointSlice, Node } from '../../api/schema/types.ts';
import { restrictNodePart } from './node-part-restriction.ts';
import type { NodeWrite } from './node-restriction.ts';
import { person } from './testing/fake-objects.ts';

const kubelet = person('system:node:n1', 'system:nodes');
const part = (name: NodePart, node = 'n1') => person(nodePartUser(name, node), nodePartGroup(name));

function node(
  name: string,
  change: { annotations?: Record<string, string>; status?: Node['status']; labels?: Record<string, string> } = {},
): Node {
  const { annotations = {}, labels = {}, status = {} } = change;
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations: { mine: 'x', ...annotations }, labels }, status } as Node;
}

function slice(name: string, nodeName: string, labels: Record<string, string> = {}): EndpointSlice {
  const own = { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'dns.fairlead.dev' };
  const metadata = { name, namespace: 'kube-system', labels: { ...own, ...labels } };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'], nodeName }],
  };
}

function write(what: Partial<NodeWrite> & Pick<NodeWrite, 'user'>): NodeWrite {
  const none = { group: '', subresource: '', namespace: '', object: undefined, old: undefined };
  return { ...none, operation: 'UPDATE', resource: 'nodes', name: 'n1', ...what };
}

const lease = { 'flannel.alpha.coreos.com/public-ip': '192.0.2.9' };
const up = { conditions: [{ type: 'NetworkUnavailable', status: 'False' as const }] };
const status = (object: Node, user = part('net-agent')): NodeWrite =>
  write({ user, subresource: 'status', name: object.metadata.name, old: node(object.metadata.name), object });
const dnsWrite = (object: EndpointSlice, more: Partial<NodeWrite> = {}): NodeWrite =>
  write({
    user: part('dns'),
    operation: 'CREATE',
    group: 'discovery.k8s.io',
    resource: 'endpointslices',
    name: object.metadata.name,
    object,
    ...more,
  });

describe('restrictNodePart()', () => {
  const allowed: [string, NodeWrite][] = [
    ['the net-agent tells its lease', status(node('n1', { annotations: lease, status: up }))],
    ['others are none of its business', write({ user: person('jane'), operation: 'DELETE', name: 'n2' })],
    ['the proxy writes events', write({ user: part('proxy'), operation: 'CREATE', resource: 'events', object: {} })],
    ['DNS publishes itself by the credential of its kubelet', dnsWrite(slice('kube-dns-n1', 'n1'), { user: kubelet })],
    ['DNS publishes itself', dnsWrite(slice('kube-dns-n1', 'n1'))],
    [
      'DNS takes itself back',
      dnsWrite(slice('kube-dns-n1', 'n1'), { operation: 'DELETE', object: undefined, old: slice('kube-dns-n1', 'n1') }),
    ],
  ];
  for (const [name, what] of allowed) test(name, () => assert.equal(restrictNodePart(what), undefined));

  const refused: [string, NodeWrite, RegExp][] = [
    [
      'the net-agent writes no other node’s lease',
      status(node('n2', { annotations: lease })),
      /of node "n1" is not allowed to modify node "n2"/,
    ],
    [
      'a net-agent of no node writes none',
      status(node('n1', { annotations: lease }), person('system:fairlead:net-agent')),
      /of node "" is not allowed/,
    ],
    [
      'a member of the group by another name writes none',
      status(node('n1', { annotations: lease }), person('jane', 'system:fairlead:net-agent')),
      /of node "" is not allowed/,
    ],
    ['the net-agent sets no label', status(node('n1', { labels: { a: 'b' } })), /only change annotations/],
    ['the net-agent sets no other annotation', status(node('n1', { annotations: { mine: 'y' } })), /only change annotations/],
    [
      'the net-agent overwrites no public address',
      status(node('n1', { annotations: { 'flannel.alpha.coreos.com/public-ip-overwrite': '192.0.2.9' } })),
      /only change annotations/,
    ],
    [
      'the net-agent sets no address',
      status(node('n1', { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.9' }] } })),
      /only change/,
    ],
    [
      'the net-agent calls no node ready',
      status(node('n1', { status: { conditions: [{ type: 'Ready', status: 'True' }] } })),
      /only change/,
    ],
    [
      'the net-agent writes a Node by its status alone',
      write({ user: part('net-agent'), old: node('n1'), object: node('n1') }),
      /only update the status/,
    ],
    ['the net-agent deletes no Node', write({ user: part('net-agent'), operation: 'DELETE', old: node('n1') }), /only update the status/],
    ['the proxy writes no Node', status(node('n1'), part('proxy')), /may not write Nodes/],
    ['DNS writes no Node', status(node('n1'), part('dns')), /may not write Nodes/],
    ['the proxy writes no endpoints', { ...dnsWrite(slice('kube-dns-n1', 'n1')), user: part('proxy') }, /may not write EndpointSlices/],
    ['DNS publishes no other node', dnsWrite(slice('kube-dns-n2', 'n2')), /only write the EndpointSlice "kube-dns-n1"/],
    [
      'a kubelet publishes no other node',
      dnsWrite(slice('kube-dns-n2', 'n2'), { user: kubelet }),
      /only write the EndpointSlice "kube-dns-n1"/,
    ],
    ['DNS names no other node in its slice', dnsWrite(slice('kube-dns-n1', 'n2')), /only write endpoints on that node/],
    ['DNS serves no other Service', dnsWrite(slice('kube-dns-n1', 'n1', { 'kubernetes.io/service-name': 'web' })), /that it manages/],
    [
      'DNS takes over no slice of others',
      dnsWrite(slice('kube-dns-n1', 'n1'), {
        operation: 'UPDATE',
        old: slice('kube-dns-n1', 'n1', { 'endpointslice.kubernetes.io/managed-by': 'me' }),
      }),
      /that it manages/,
    ],
    [
      'DNS deletes no slice of others',
      dnsWrite(slice('web-1', 'n1'), { operation: 'DELETE', object: undefined, old: slice('web-1', 'n1') }),
      /only write/,
    ],
  ];
  for (const [name, what, why] of refused) test(name, () => assert.match(restrictNodePart(what) ?? 'allowed', why));
});

describe('nodePartOf()', () => {
  const cases: [string, string[], object | undefined][] = [
    ['system:fairlead:dns:n1', ['system:fairlead:dns'], { part: 'dns', node: 'n1' }],
    ['system:fairlead:net-agent', [], { part: 'net-agent', node: '' }],
    ['system:fairlead:proxy:a:b', [], { part: 'proxy', node: 'a:b' }],
    ['system:node:n1', ['system:nodes'], undefined],
    ['system:fairlead:dnsx', [], undefined],
  ];
  for (const [name, groups, want] of cases) test(`reads ${name}`, () => assert.deepEqual(nodePartOf({ name, groups }), want));
});
