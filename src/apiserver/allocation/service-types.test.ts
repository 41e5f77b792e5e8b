import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { ServiceSpec } from '../../api/schema/types.ts';
import { type Json, TestServer } from '../testing/test-server.ts';

const services = '/api/v1/namespaces/default/services';
const path = `${services}/it`;
const merge = { type: 'application/merge-patch+json' };
const ports = [
  { name: 'a', port: 80 },
  { name: 'b', port: 81 },
];

/** What is written to have a Service of each kind. */
const kinds = {
  ClusterIP: { type: 'ClusterIP', ports },
  NodePort: { type: 'NodePort', ports },
  LoadBalancer: {
    ...{ type: 'LoadBalancer', ports, externalTrafficPolicy: 'Local' },
    ...{ allocateLoadBalancerNodePorts: true, loadBalancerClass: 'example.com/own' },
  },
  'LoadBalancer without node ports': {
    type: 'LoadBalancer',
    ports,
    allocateLoadBalancerNodePorts: false,
    loadBalancerClass: 'example.com/own',
  },
  ExternalName: { type: 'ExternalName', externalName: 'example.com' },
  headless: { type: 'ClusterIP', clusterIP: 'None', ports },
} as const satisfies Record<string, ServiceSpec>;
type Kind = keyof typeof kinds;
const names = Object.keys(kinds) as Kind[];

const manifest = (kind: Kind): object => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'it' } },
  spec: { selector: { a: 'b' }, ...kinds[kind] },
});
const nothing = { clusterIP: null, clusterIPs: null, ipFamilies: null, ipFamilyPolicy: null, healthCheckNodePort: null };

type Call = TestServer['call'];
const apply = (call: Call, kind: Kind): ReturnType<Call> =>
  call('PATCH', `${path}?fieldManager=test`, manifest(kind), { type: 'application/apply-patch+yaml' });

/** The ways in which clients change a type. */
const ways: Record<string, (call: Call, to: Kind) => ReturnType<Call>> = {
  'a merge patch': (call, to) => call('PATCH', path, { spec: kinds[to] }, merge),
  'a merge patch that takes its address away': (call, to) => call('PATCH', path, { spec: { clusterIP: null, ...kinds[to] } }, merge),
  'a strategic patch that takes all away': (call, to) =>
    call('PATCH', path, { spec: { ...nothing, ...kinds[to] } }, { type: 'application/strategic-merge-patch+json' }),
  'server-side apply': apply,
  PUT: (call, to) => call('PUT', path, manifest(to)),
};

/** Which of the fields are there that hang on the type; those of ports as `ports.nodePort`. */
function fieldsOf(spec: Json): string[] {
  const bound = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy', 'externalTrafficPolicy'];
  const more = ['healthCheckNodePort', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'];
  const ofPorts = (spec.ports ?? []).every((port: Json) => port.nodePort) && spec.ports ? ['ports.nodePort'] : [];
  return [...[...bound, ...more].filter((key) => spec[key] !== undefined), ...ofPorts];
}

const addressed = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'];
const wanted: Record<Kind, readonly string[]> = {
  ClusterIP: addressed,
  NodePort: [...addressed, 'externalTrafficPolicy', 'ports.nodePort'],
  LoadBalancer: [
    ...addressed,
    ...['externalTrafficPolicy', 'healthCheckNodePort', 'allocateLoadBalancerNodePorts', 'loadBalancerClass', 'ports.nodePort'],
  ],
  'LoadBalancer without node ports': [...addressed, 'externalTrafficPolicy', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'],
  ExternalName: [],
  headless: addressed,
};

/** Why it cannot be. */
function refusal(from: Kind, to: Kind): RegExp | undefined {
  if (to === 'headless' && from !== 'headless' && from !== 'ExternalName') return /clusterIPs\[0\].*may not change once set/;
  if (from === 'headless' && kinds[to].type !== 'ClusterIP' && to !== 'ExternalName') return /may not be set to 'None'/;
  return undefined;
}

/** What stays of a type with node ports where none are given by default: what the request does not speak of. */
function left(from: Kind, to: Kind, way: string): string[] {
  if (to !== 'LoadBalancer without node ports') return [];
  const hadPorts = from === 'NodePort' || from === 'LoadBalancer';
  return [
    ...(hadPorts && /apply|strategic/.test(way) ? ['ports.nodePort'] : []),
    ...(from === 'LoadBalancer' && way.includes('patch') ? ['healthCheckNodePort'] : []),
  ];
}

describe('a Service that changes its type', () => {
  let s: TestServer;
  const call: Call = (...args) => s.call(...args);
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());
  afterEach(() => call('DELETE', path));

  const taken = (spec: Json): { address: string | undefined; ports: number[] } => ({
    address: spec.clusterIP === 'None' ? undefined : spec.clusterIP,
    ports: [...(spec.ports ?? []).map((port: Json) => port.nodePort), spec.healthCheckNodePort].filter(Boolean),
  });

  /** Whether another Service could have it; it does not take it. */
  const isFree = async (spec: object): Promise<boolean> => {
    const other = { metadata: { name: 'other' }, spec: { ports: [{ port: 80 }], ...spec } };
    return (await call('POST', `${services}?dryRun=All`, other)).status === 201;
  };

  for (const [way, change] of Object.entries(ways)) {
    test(`has the fields of the new type, and gives the rest back, by ${way}`, async () => {
      for (const from of names)
        for (const to of names) {
          const what = `from ${from} to ${to}`;
          assert.ok((await (change === apply ? apply(call, from) : call('POST', services, manifest(from)))).status < 300, what);
          if (kinds[from].type === 'LoadBalancer')
            await call('PATCH', `${path}/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } } }, merge);
          const old = (await call('GET', path)).body;
          const { status, body } = await change(call, to);
          const now = (await call('GET', path)).body;
          const why = refusal(from, to);
          if (why) {
            assert.equal(status, 422, what);
            assert.match(body.message, why, what);
            assert.deepEqual(now, old, what);
          } else {
            assert.equal(status, 200, `${what}: ${body.message}`);
            await checkChange(old, now, { from, to, way });
          }
          await call('DELETE', path);
        }
    });
  }

  async function checkChange(old: Json, now: Json, { from, to, way }: { from: Kind; to: Kind; way: string }): Promise<void> {
    const what = `from ${from} to ${to}`;
    const fields = [...new Set([...wanted[to], ...left(from, to, way)])].toSorted();
    assert.deepEqual(fieldsOf(now.spec).toSorted(), fields, what);
    assert.equal(now.spec.clusterIP === 'None', to === 'headless' || (from === 'headless' && to === 'ClusterIP'), what);
    // An address lasts as long as there is one; so does the word of what announces it.
    const [had, has] = [taken(old.spec), taken(now.spec)];
    if (had.address && has.address) assert.equal(has.address, had.address, what);
    const announced = kinds[from].type === 'LoadBalancer' && kinds[to].type === 'LoadBalancer';
    assert.equal(now.status.loadBalancer.ingress?.length ?? 0, announced ? 1 : 0, what);
    if (had.address) assert.equal(await isFree({ clusterIP: had.address }), had.address !== has.address, what);
    for (const port of had.ports) {
      const asked = { type: 'NodePort', ports: [{ port: 80, nodePort: port }] };
      assert.equal(await isFree(asked), !has.ports.includes(port), `${what}, port ${port}`);
    }
    const { body } = await call('GET', '/apis/networking.k8s.io/v1/ipaddresses');
    const shown = body.items.map(({ metadata }: Json) => metadata.name);
    assert.deepEqual(shown.toSorted(), ['10.96.0.1', ...(has.address ? [has.address] : [])].toSorted(), what);
  }

  const cases: readonly (readonly [string, Kind, object, RegExp | ((spec: Json, old: Json) => void)])[] = [
    [
      'keeps its node ports when it is to be given none any more',
      'LoadBalancer',
      { allocateLoadBalancerNodePorts: false },
      (spec, old) => assert.deepEqual(spec.ports, old.ports),
    ],
    [
      'keeps a node port by the name of the port, whatever its number is',
      'NodePort',
      {
        ports: [
          { name: 'b', port: 90 },
          { name: 'c', port: 91 },
        ],
      },
      (spec, old) => {
        assert.equal(spec.ports[0].nodePort, old.ports[1].nodePort);
        assert.ok(spec.ports[1].nodePort);
        assert.ok(!old.ports.some(({ nodePort }: Json) => nodePort === spec.ports[1].nodePort));
      },
    ],
    [
      'is refused with another node port than it had, for a type that has none',
      'NodePort',
      { type: 'ClusterIP', ports: [{ name: 'a', port: 80, nodePort: 30008 }] },
      /nodePort: Forbidden: may not be used when `type` is 'ClusterIP'/,
    ],
    [
      'may drop a port in the same step',
      'NodePort',
      { type: 'ClusterIP', ports: [ports[1]] },
      (spec) => assert.deepEqual(spec.ports, [{ ...ports[1], protocol: 'TCP', targetPort: 81 }]),
    ],
    ['is refused with an address that an alias cannot have', 'ClusterIP', { ...kinds.ExternalName, clusterIP: '10.96.0.9' }, /clusterIPs/],
    [
      'is refused with a family that an alias cannot have',
      'ClusterIP',
      { ...kinds.ExternalName, ipFamilyPolicy: 'PreferDualStack' },
      /spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName/,
    ],
    ['cannot change its health-check port', 'LoadBalancer', { healthCheckNodePort: 30009 }, /healthCheckNodePort: Forbidden: field is imm/],
    ['cannot have both families here', 'ClusterIP', { ipFamilyPolicy: 'RequireDualStack' }, /not configured for dual-stack services/],
    [
      'may have the other family beside, for endpoints that others write',
      'headless',
      { selector: null, ipFamilyPolicy: 'PreferDualStack' },
      (spec) => assert.deepEqual(spec.ipFamilies, ['IPv4', 'IPv6']),
    ],
    ['needs the cluster to have a family that is asked for', 'headless', { ipFamilies: ['IPv4', 'IPv6'] }, /must be 'RequireDualStack' or/],
  ];
  for (const [what, from, spec, outcome] of cases)
    test(what, async () => {
      const old = (await call('POST', services, manifest(from))).body;
      const { status, body } = await call('PATCH', path, { spec }, merge);
      assert.equal(status, outcome instanceof RegExp ? 422 : 200, body.message);
      if (outcome instanceof RegExp) assert.match(body.message, outcome);
      else outcome(body.spec, old.spec);
    });

  test('that is headless without a selector has both families, and one again when it is told so', async () => {
    const spec = { clusterIP: 'None', ports };
    const families = ({ body }: { body: Json }): unknown => [body.spec.ipFamilyPolicy, body.spec.ipFamilies];
    const created = await call('POST', services, { metadata: { name: 'it' }, spec: { ...spec, ipFamilies: ['IPv6'] } });
    assert.deepEqual(families(created), ['RequireDualStack', ['IPv6', 'IPv4']]);
    const patch = (change: object): ReturnType<Call> => call('PATCH', path, { spec: change }, merge);
    assert.match((await patch({ ipFamilies: ['IPv6'] })).body.message, /must be 'SingleStack' to release the secondary IP family/);
    assert.deepEqual(families(await patch({ ipFamilies: null })), ['RequireDualStack', ['IPv4', 'IPv6']]);
    assert.deepEqual(families(await patch({ ipFamilyPolicy: 'SingleStack' })), ['SingleStack', ['IPv4']]);
  });

  test('an alias that is given another address with the change shows it twice, as upstream, and holds it from nobody', async () => {
    await call('POST', services, manifest('ClusterIP'));
    const alias = { ...manifest('ExternalName'), spec: { ...kinds.ExternalName, clusterIP: '10.96.7.7' } };
    for (const { status, body } of [await call('PUT', path, alias), await call('GET', path)])
      assert.deepEqual([status, body.spec.clusterIP, body.spec.clusterIPs], [200, '10.96.7.7', ['10.96.7.7']]);
    assert.ok(await isFree({ clusterIP: '10.96.7.7', ports }));
    assert.match((await call('PUT', path, alias)).body.message, /spec.clusterIPs: Forbidden: may not be set for ExternalName services/);
  });

  test('an alias may name node ports, and holds none', async () => {
    const spec = { ...kinds.ExternalName, internalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30010 }] };
    const { body } = await call('POST', services, { metadata: { name: 'it' }, spec });
    assert.equal(body.spec.ports[0].nodePort, 30010);
    assert.equal(body.spec.internalTrafficPolicy, undefined);
    assert.ok(await isFree({ type: 'NodePort', ports: spec.ports }));
    assert.equal((await call('PATCH', path, { spec: { type: 'NodePort' } }, merge)).body.spec.ports[0].nodePort, 30010);
    assert.ok(!(await isFree({ type: 'NodePort', ports: spec.ports })));
  });
});
