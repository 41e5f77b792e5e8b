import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, EndpointSlice, Node, Pod, Service } from '../../api/schema/types.ts';
import { planSlices, type SlicePlan } from './desired.ts';
import { planHints, wantsTopologyHints, zoneShares } from './topology-hints.ts';

function node(
  name: string,
  zone: string | undefined,
  cpu: string | undefined,
  more: { ready?: boolean; labels?: Record<string, string> } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }), ...more.labels } },
    status: {
      ...(cpu === undefined ? {} : { allocatable: { cpu } }),
      conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
    },
  };
}

const shareTable: readonly (readonly [string, readonly Node[], object | undefined])[] = [
  ['by CPU', [node('1', 'a', '3'), node('2', 'b', '500m'), node('3', 'b', '500m')], { a: 0.75, b: 0.25 }],
  [
    'not for control planes, nor nodes that are not ready',
    [
      node('1', 'a', '1'),
      node('2', 'b', '1'),
      node('3', 'c', '8', { ready: false }),
      node('4', 'd', '8', { labels: { 'node-role.kubernetes.io/control-plane': '' } }),
    ],
    { a: 0.5, b: 0.5 },
  ],
  ['for nobody when a node has no zone', [node('1', 'a', '1'), node('2', 'b', '1'), node('3', undefined, '1')], undefined],
  ['for nobody when a node has no CPU', [node('1', 'a', '1'), node('2', 'b', undefined)], undefined],
  ['for nobody with one zone', [node('1', 'a', '1'), node('2', 'a', '1')], undefined],
];

for (const [sentence, nodes, shares] of shareTable)
  test(`zoneShares() counts ${sentence}`, () => {
    const found = zoneShares(nodes);
    assert.deepEqual(found && Object.fromEntries(found), shares);
  });

test('wantsTopologyHints() goes by the annotation, the older one first', () => {
  const service = (annotations: Record<string, string>): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', annotations },
  });
  assert.equal(wantsTopologyHints(service({ 'service.kubernetes.io/topology-mode': 'Auto' })), true);
  assert.equal(wantsTopologyHints(service({ 'service.kubernetes.io/topology-mode': 'auto' })), true);
  assert.equal(wantsTopologyHints(service({ 'service.kubernetes.io/topology-mode': 'example.com/own' })), false);
  assert.equal(
    wantsTopologyHints(
      service({ 'service.kubernetes.io/topology-aware-hints': 'Disabled', 'service.kubernetes.io/topology-mode': 'Auto' }),
    ),
    false,
  );
  assert.equal(wantsTopologyHints(service({})), false);
});

/** `aab` is three endpoints, two in zone a; `-` has none, a capital is not ready. With `hints`, `a:b` is for zone b. */
function slice(text: string, name: string = 's'): EndpointSlice {
  const endpoints = [...text.matchAll(/(\w|-)(?::(\w))?/g)].map(
    ([, zone = '', hint], i): Endpoint => ({
      addresses: [`10.0.0.${i}`],
      conditions: { ready: zone === zone.toLowerCase() },
      ...(zone === '-' ? {} : { zone: zone.toLowerCase() }),
      ...(hint === undefined ? {} : { hints: { forZones: [{ name: hint }] } }),
    }),
  );
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name }, addressType: 'IPv4', endpoints };
}

const shown = (slices: readonly EndpointSlice[]): string[] =>
  slices.map((s) =>
    (s.endpoints ?? [])
      .map((e) => {
        const zone = e.zone ?? '-';
        const hint = e.hints?.forZones?.map((z) => z.name).join('+');
        return `${e.conditions?.ready ? zone : zone.toUpperCase()}${hint === undefined ? '' : `:${hint}`}`;
      })
      .join(''),
  );

const equal = new Map([
  ['a', 0.5],
  ['b', 0.5],
]);
const shares = (a: number, b: number): ReadonlyMap<string, number> =>
  new Map([
    ['a', a],
    ['b', b],
  ]);
const enabled = 'Topology Aware Hints has been enabled, addressType: IPv4';

const table: readonly (readonly [
  string,
  ReadonlyMap<string, number> | undefined,
  string[],
  string[],
  string[],
  string[],
  string | undefined,
])[] = [
  ['each zone its own', equal, ['aabb'], [], ['a:aa:ab:bb:b'], [], enabled],
  ['a surplus to the zone that has too few', equal, ['aaab'], [], ['a:ba:aa:ab:b'], [], enabled],
  ['everything of one zone, half to the other', equal, ['aaaa'], [], ['a:ba:ba:aa:a'], [], enabled],
  ['nothing to endpoints that are not ready', equal, ['aabbA'], [], ['a:aa:ab:bb:bA'], [], enabled],
  [
    'more to the zone with more CPU',
    new Map([
      ['a', 0.75],
      ['b', 0.25],
    ]),
    ['aabb'],
    [],
    ['a:aa:ab:ab:b'],
    [],
    enabled,
  ],
  ['a zone a little more than it should take', shares(0.55, 0.45), ['ab'], [], ['a:ab:b'], [], enabled],
  ['a whole endpoint to a zone that is to have less than one', shares(0.55, 0.45), ['aa'], [], ['a:ba:a'], [], enabled],
  ['nothing away for less than one endpoint', shares(0.64, 0.36), ['aaaaaaabbb'], [], ['a:aa:aa:aa:aa:aa:aa:ab:bb:bb:b'], [], enabled],
  ['the endpoints of a zone without nodes to others', equal, ['ccab'], [], ['c:ac:ba:ab:b'], [], enabled],
  ['unchanged slices what they have', equal, ['ab'], ['a:bb:b'], ['a:ab:a'], [], undefined],
  ['unchanged slices anew when a zone would have too many', equal, ['ab'], ['a:ba:bb:bb:b'], ['a:ab:b'], ['a:aa:ab:bb:b'], undefined],
  ['unchanged slices anew when an endpoint has no hint', equal, [], ['a:ab'], [], ['a:ab:b'], undefined],
  [
    'no hints when shares are not known',
    undefined,
    ['a:ab'],
    ['a:a', 'b'],
    ['ab'],
    ['a'],
    'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes, addressType: IPv4',
  ],
  [
    'no hints with fewer endpoints than zones',
    equal,
    ['a'],
    [],
    ['a'],
    [],
    'Insufficient number of endpoints (1 endpoints, 2 zones), addressType: IPv4',
  ],
  [
    'no hints when an endpoint has no zone',
    equal,
    ['aabba-'],
    [],
    ['aabba-'],
    [],
    'One or more endpoints do not have a zone specified, addressType: IPv4',
  ],
  [
    'no hints when some zone would be overloaded',
    equal,
    ['aab'],
    [],
    ['aab'],
    [],
    'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones), addressType: IPv4',
  ],
];

for (const [sentence, of, written, unchanged, wanted, changed, message] of table)
  test(`planHints() gives ${sentence}`, () => {
    const plan = planHints({
      written: written.map((t, i) => slice(t, `w${i}`)),
      unchanged: unchanged.map((t, i) => slice(t, `u${i}`)),
      shares: of,
    });
    assert.deepEqual([shown(plan.written), shown(plan.changed), plan.event?.message], [wanted, changed, message]);
  });

function pod(n: number, nodeName: string, ready: boolean = true): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${n}`, namespace: 'default', uid: `u${n}` },
    spec: { nodeName, containers: [{ name: 'c' }] },
    status: { phase: 'Running', podIP: `10.244.1.${n}`, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const nodes = [node('1', 'a', '2'), node('2', 'b', '2'), node('3', undefined, '2')];

function plan(
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  service: Partial<Service['metadata']>,
  distribution?: string,
): SlicePlan {
  return planSlices({
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', uid: 's', ...service },
      spec: {
        selector: { app: 'web' },
        clusterIP: '10.96.0.7',
        ports: [{ port: 80 }],
        ...(distribution ? { trafficDistribution: distribution } : {}),
      },
    },
    pods,
    nodeOf: (name) => nodes.find((n) => n.metadata.name === name),
    existing,
    shares: () => zoneShares(nodes.slice(0, 2)),
  });
}

const auto = { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } };
const stored = (slices: readonly EndpointSlice[]): EndpointSlice[] =>
  slices.map((s, i) => ({ ...s, metadata: { ...s.metadata, name: `web-${i}` } }));

test('a Service in mode Auto gets hints and an Event, and nothing is written when nothing changes', () => {
  const pods = [1, 2, 3].map((n) => pod(n, '1')).concat(pod(4, '2'));
  const first = plan(pods, [], auto);
  assert.deepEqual(shown(first.create), ['a:ba:aa:ab:b']);
  assert.equal(first.events?.[0]?.reason, 'TopologyAwareHintsEnabled');
  const existing = stored(first.create);
  assert.deepEqual(plan(pods, existing, auto), { create: [], update: [], remove: [], events: [] });
  const unready = plan(pods.with(3, pod(4, '2', false)), existing, auto);
  assert.deepEqual(shown(unready.update), ['aaaB'], 'three endpoints cannot be shared without overload');
  const off = plan(pods, existing, {});
  assert.deepEqual(shown(off.update), ['aaab']);
});

/** Distribution, hints of an endpoint on node 1 in zone a, and of one on node 3 without zone. */
const distributions: readonly (readonly [string, object | undefined, object | undefined])[] = [
  ['PreferClose', { forZones: [{ name: 'a' }] }, undefined],
  ['PreferSameZone', { forZones: [{ name: 'a' }] }, undefined],
  ['PreferSameNode', { forZones: [{ name: 'a' }], forNodes: [{ name: '1' }] }, { forNodes: [{ name: '3' }] }],
];

for (const [distribution, inZone, without] of distributions)
  test(`trafficDistribution ${distribution} says for each ready endpoint what is known of its place`, () => {
    const { create } = plan([pod(1, '1'), pod(2, '3'), pod(3, '1', false)], [], {}, distribution);
    assert.deepEqual(
      create[0]?.endpoints?.map((e) => e.hints),
      [inZone, without, undefined],
    );
    const both = plan([pod(1, '1'), pod(2, '2')], [], auto, distribution);
    assert.deepEqual(shown(both.create), ['a:ab:b'], 'the annotation counts before it');
    assert.ok(both.create[0]?.endpoints?.every((e) => e.hints?.forNodes === undefined));
  });

test('an endpoint in a zone without nodes, which nobody lacks, does not make the slice be written again and again', () => {
  const zones = ['a', 'a', 'a', 'b', 'b', 'b', 'd', 'd', 'd', 'c'];
  const all = ['a', 'b', 'd', 'c'].map((zone) => node(`in-${zone}`, zone, '1'));
  const pods = zones.map((zone, n) => pod(n, `in-${zone}`));
  const planned = (existing: readonly EndpointSlice[]): SlicePlan =>
    planSlices({
      service: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'default', uid: 's', ...auto },
        spec: { selector: { a: 'b' }, ports: [{ port: 80 }] },
      },
      pods,
      nodeOf: (name) => all.find((n) => n.metadata.name === name),
      existing,
      shares: () => zoneShares(all.slice(0, 3)),
    });
  const first = planned([]);
  assert.deepEqual(shown(first.create), [zones.map((z) => `${z}:${z}`).join('')]);
  assert.deepEqual(planned(stored(first.create)), { create: [], update: [], remove: [], events: [] });
});
