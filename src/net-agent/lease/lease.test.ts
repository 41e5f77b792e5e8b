import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../../api/schema/types.ts';
import { mustCidr } from '../../ip/ip.ts';
import { annotationsOf, changesNetwork, nodePatch, podCidrOf, publicIpOverwrite, readLease, type SubnetLease } from './lease.ts';

const network = mustCidr('10.244.0.0/16');
const since = '2026-01-01T00:00:00Z';
const own: SubnetLease = {
  node: 'a',
  podCidr: '10.244.1.0/24',
  publicIp: '192.168.120.11',
  type: 'vxlan',
  data: { VNI: 1, VtepMAC: '02:00:00:00:00:01' },
  since,
};

function node(annotations: Record<string, string> = {}, spec: Node['spec'] = { podCIDR: own.podCidr, podCIDRs: [own.podCidr] }): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'a', annotations, creationTimestamp: since },
    ...(spec === undefined ? {} : { spec }),
  };
}

function refusal(change: Record<string, string>, spec?: Node['spec']): string {
  const read = readLease(node({ ...annotationsOf(own), ...change }, spec ?? { podCIDR: own.podCidr }), network, 'vxlan');
  return read.kind === 'refused' || read.kind === 'foreign' ? `${read.kind}: ${read.why}` : read.kind;
}

describe('a lease', () => {
  test('is written as flannel writes it, and read back', () => {
    assert.deepEqual(annotationsOf(own), {
      'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
      'flannel.alpha.coreos.com/public-ip': '192.168.120.11',
    });
    assert.deepEqual(readLease(node(annotationsOf(own)), network, 'vxlan'), { kind: 'lease', lease: own });
  });

  test('of another backend is foreign, and says which one', () => {
    const told = annotationsOf({ ...own, type: 'host-gw', data: null });
    assert.deepEqual(readLease(node(told), network, 'vxlan'), {
      kind: 'foreign',
      lease: { ...own, type: 'host-gw', data: null },
      why: 'its backend is "host-gw", not vxlan',
    });
  });

  test('may have all of the network, and an age that is not known', () => {
    const whole = { podCIDR: '10.244.0.0/16' };
    const { metadata, ...rest } = node(annotationsOf(own), whole);
    const { creationTimestamp: _, ...ageless } = metadata;
    const read = readLease({ ...rest, metadata: ageless }, network, 'vxlan');
    assert.deepEqual(read, { kind: 'lease', lease: { ...own, podCidr: '10.244.0.0/16', since: '' } });
  });

  test('is absent on a node without a range or without annotations', () => {
    assert.equal(readLease(node(annotationsOf(own), {}), network, 'vxlan').kind, 'absent');
    assert.equal(readLease(node(), network, 'vxlan').kind, 'absent');
  });

  test('is refused with a reason', () => {
    const prefix = 'flannel.alpha.coreos.com/';
    assert.match(refusal({ [`${prefix}backend-type`]: 'host-gw', [`${prefix}public-ip`]: 'x' }), /^refused: .*"x" is no IPv4 address/);
    assert.match(refusal({ [`${prefix}public-ip`]: 'x' }), /"x" is no IPv4 address/);
    assert.match(refusal({}, { podCIDR: '10.9.0.0/24' }), /10\.9\.0\.0\/24 is not inside/);
  });

  for (const ip of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::1']) {
    test(`is refused when nobody can be reached at its address ${ip}`, () => {
      assert.match(refusal({ 'flannel.alpha.coreos.com/public-ip': ip }), /public-ip/);
    });
  }

  test('takes the IPv4 range of a node that has two', () => {
    assert.equal(podCidrOf(node({}, { podCIDR: 'fd00::/64', podCIDRs: ['fd00::/64', '10.244.3.0/24'] }), 4), '10.244.3.0/24');
  });
});

describe('a lease of IPv6', () => {
  const six: SubnetLease = { ...own, podCidr: 'fd00:1::/64', publicIp: '2001:db8::11' };
  const written = {
    'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
    'flannel.alpha.coreos.com/backend-type': 'vxlan',
    'flannel.alpha.coreos.com/backend-v6-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
    'flannel.alpha.coreos.com/public-ipv6': '2001:db8::11',
  };
  const both = { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'] };
  const read = (change: Record<string, string>): ReturnType<typeof readLease> =>
    readLease(node({ ...written, ...change }, both), mustCidr('fd00::/48'), 'vxlan');

  test('has annotations of its own, and is read back', () => {
    assert.deepEqual(annotationsOf(six), written);
    assert.deepEqual(readLease(node(written, both), mustCidr('fd00::/16'), 'vxlan'), { kind: 'lease', lease: six });
  });

  test('is absent where only one of IPv4 is told, and the other way round', () => {
    assert.equal(readLease(node(annotationsOf(own), both), mustCidr('fd00::/16'), 'vxlan').kind, 'absent');
    assert.equal(readLease(node(written, both), network, 'vxlan').kind, 'absent');
  });

  for (const [what, change, why] of [
    ['an address of IPv4', { 'flannel.alpha.coreos.com/public-ipv6': '192.0.2.1' }, /is no IPv6 address/],
    ['loopback', { 'flannel.alpha.coreos.com/public-ipv6': '::1' }, /is no node's/],
    ['a group', { 'flannel.alpha.coreos.com/public-ipv6': 'ff02::1' }, /is no node's/],
    ['a range elsewhere', {}, /fd00:1::\/64 is not inside fd00::\/48/],
  ] as const)
    test(`is refused with ${what}`, () => {
      const reading = read(change);
      assert.match(reading.kind === 'refused' ? reading.why : reading.kind, why);
    });
});

describe('nodePatch()', () => {
  const now = '2026-01-01T00:00:00Z';

  test('tells lease and condition once', () => {
    const patch = nodePatch(node(), [own], now) as {
      metadata: { annotations: Record<string, string> };
      status: NonNullable<Node['status']>;
    };
    assert.equal(patch.status.conditions?.[0]?.reason, 'FlannelIsUp');
    assert.equal(nodePatch({ ...node(patch.metadata.annotations), status: patch.status }, [own], now), undefined);
  });

  test('says only what changed', () => {
    const condition = { type: 'NetworkUnavailable', status: 'False' as const, reason: 'FlannelIsUp' };
    const before: Node = { ...node(annotationsOf(own)), status: { conditions: [condition] } };
    assert.deepEqual(nodePatch(before, [{ ...own, publicIp: '192.168.120.99' }], now), {
      metadata: { annotations: { 'flannel.alpha.coreos.com/public-ip': '192.168.120.99' } },
    });
  });
});

describe('publicIpOverwrite()', () => {
  const cases: readonly [string | undefined, string | undefined][] = [
    ['203.0.113.1', '203.0.113.1'],
    ['fd00::1', undefined],
    ['x', undefined],
    [undefined, undefined],
  ];
  for (const [told, taken] of cases)
    test(`${taken === undefined ? 'ignores' : 'takes'} "${told}"`, () => {
      const annotations = told === undefined ? {} : { 'flannel.alpha.coreos.com/public-ip-overwrite': told };
      assert.equal(publicIpOverwrite(node(annotations), 4), taken);
    });
});

describe('changesNetwork()', () => {
  const old = node(annotationsOf(own));
  const condition = (type: string, status: string): Node => ({ ...old, status: { conditions: [{ type, status }] } });
  const cases: readonly [what: string, now: Node, counts: boolean][] = [
    ['nothing', { ...old, metadata: { ...old.metadata, resourceVersion: '2' } }, false],
    ['a heartbeat', condition('Ready', 'True'), false],
    ['a label', { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } }, false],
    ['the range', { ...old, spec: { podCIDR: '10.244.9.0/24' } }, true],
    ['a second range', { ...old, spec: { podCIDR: own.podCidr, podCIDRs: [own.podCidr, 'fd00::/64'] } }, true],
    ['an annotation', node({ ...annotationsOf(own), 'flannel.alpha.coreos.com/public-ip': '192.168.120.99' }), true],
    ['an address', { ...old, status: { addresses: [{ type: 'InternalIP', address: '192.168.56.11' }] } }, true],
    ['the condition of the network', condition('NetworkUnavailable', 'True'), true],
  ];
  for (const [what, now, counts] of cases)
    test(`${counts ? 'hears' : 'does not hear'} a change of ${what}`, () => assert.equal(changesNetwork(old, now), counts));
});
