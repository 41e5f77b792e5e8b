import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { bareNode as node } from '../testing/sample-node.ts';
import type { NodeContext } from './node-context.ts';
import { planService } from './plan-service.ts';
import type { Frontend } from './service-plan.ts';

/** Where endpoints are, from this node's view. */
const places = { nowhere: [], elsewhere: ['node2'], here: ['node1'], 'here and elsewhere': ['node1', 'node2'] } as const;
type Place = keyof typeof places;

function slices(place: Place): EndpointSlice[] {
  const endpoints = places[place].map((nodeName, i) => ({ addresses: [`10.244.1.${i + 2}`], nodeName }));
  return [
    { apiVersion: 'v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv4', ports: [{ name: '', port: 80 }], endpoints },
  ];
}

function service(internal: string, external: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'a' },
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.0.1',
      ports: [{ port: 80, nodePort: 30080 }],
      internalTrafficPolicy: internal,
      externalTrafficPolicy: external,
    },
  };
}

describe('planService()', () => {
  // policy, where endpoints are: what insiders and outsiders get. Cluster IP first, node port second.
  const expected: Record<string, Record<Place, string>> = {
    'cluster-ip Cluster': {
      nowhere: 'refuse refuse',
      elsewhere: 'cluster cluster',
      here: 'cluster cluster',
      'here and elsewhere': 'cluster cluster',
    },
    'cluster-ip Local': { nowhere: 'refuse refuse', elsewhere: 'drop drop', here: 'local local', 'here and elsewhere': 'local local' },
    'node-port Cluster': {
      nowhere: 'refuse refuse',
      elsewhere: 'cluster cluster',
      here: 'cluster cluster',
      'here and elsewhere': 'cluster cluster',
    },
    'node-port Local': {
      nowhere: 'refuse refuse',
      elsewhere: 'cluster drop',
      here: 'cluster local',
      'here and elsewhere': 'cluster local',
    },
  };
  for (const internal of ['Cluster', 'Local'])
    for (const external of ['Cluster', 'Local'])
      for (const place of Object.keys(places) as Place[])
        test(`with internal ${internal}, external ${external} and endpoints ${place}, says where packets go`, () => {
          const [port] = planService(service(internal, external), slices(place), node)?.ports ?? [];
          const targets = (kind: Frontend['kind']): string => {
            const f = port?.frontends.find((frontend) => frontend.kind === kind);
            return `${f?.inside} ${f?.outside}`;
          };
          assert.equal(targets('cluster-ip'), expected[`cluster-ip ${internal}`]?.[place]);
          assert.equal(targets('node-port'), expected[`node-port ${external}`]?.[place]);
        });

  type Change = (s: Service) => Service;
  const others: [what: string, change: Change][] = [
    ['of another proxy', (s) => ({ ...s, metadata: { ...s.metadata, labels: { 'service.kubernetes.io/service-proxy-name': 'x' } } })],
    ['labelled headless', (s) => ({ ...s, metadata: { ...s.metadata, labels: { 'service.kubernetes.io/headless': '' } } })],
    ['without a cluster IP', (s) => ({ ...s, spec: { ...s.spec, clusterIP: 'None', clusterIPs: ['10.96.0.1'] } })],
    ['that waits for its cluster IP', (s) => ({ ...s, spec: { ...s.spec, clusterIP: '', clusterIPs: ['10.96.0.1'] } })],
    ['that never had one', (s) => ({ ...s, spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.1'] } })],
    ['that is but a name', (s) => ({ ...s, spec: { ...s.spec, type: 'ExternalName', externalName: 'example.com' } })],
    ['of the other family', (s) => ({ ...s, spec: { ...s.spec, clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] } })],
  ];
  for (const [what, change] of others)
    test(`has no plan for a Service ${what}`, () => {
      const s = service('Cluster', 'Cluster');
      assert.ok(planService(s, slices('here'), node));
      assert.equal(planService(change(s), slices('here'), node), undefined);
    });

  const conditions: [what: string, given: object | undefined, chosen: boolean, serving: boolean][] = [
    ['that says nothing', undefined, true, true],
    ['that is ready', { ready: true }, true, true],
    ['that is not ready, as far as it says', { ready: false }, false, true],
    ['that is not ready and does not serve', { ready: false, serving: false }, false, false],
    ['that ends but serves', { ready: false, serving: true, terminating: true }, false, true],
    ['that ends and says nothing of serving', { ready: false, terminating: true }, false, true],
    ['that serves no more', { ready: false, serving: false, terminating: true }, false, false],
  ];
  for (const [what, given, chosen, serving] of conditions)
    test(`sends new connections to an endpoint ${what}: ${chosen}; leaves UDP flows with it: ${serving}`, () => {
      const [slice] = slices('here');
      assert.ok(slice);
      const endpoints = [{ addresses: ['10.244.1.9'] }, { addresses: ['10.244.1.2'], ...(given ? { conditions: given } : {}) }];
      const s = service('Cluster', 'Cluster');
      const spec = { ...s.spec, ports: [{ port: 80, protocol: 'UDP' }] };
      const udp = { ...slice, ports: [{ name: '', port: 80, protocol: 'UDP' }], endpoints };
      const [port] = planService({ ...s, spec }, [udp], node)?.ports ?? [];
      assert.equal(
        port?.cluster.some((e) => e.ip === '10.244.1.2'),
        chosen,
      );
      assert.equal(port?.serving.has('10.244.1.2 . 80'), serving);
      assert.ok(port?.serving.has('10.244.1.9 . 80'));
    });

  const balancer = (spec: Partial<NonNullable<Service['spec']>>, ...ingress: { ip: string; ipMode?: string }[]): Service => {
    const base = service('Cluster', 'Cluster');
    return { ...base, spec: { ...base.spec, type: 'LoadBalancer', ports: [{ port: 80 }], ...spec }, status: { loadBalancer: { ingress } } };
  };
  const six: Partial<NonNullable<Service['spec']>> = { clusterIPs: ['10.96.0.1', 'fd00::1'] };
  const frontends: [what: string, service: Service, node: NodeContext, wanted: string[]][] = [
    ['a cluster IP alone', balancer({ type: 'ClusterIP' }), node, ['cluster-ip 10.96.0.1 outside-pods']],
    ['all that goes to a cluster IP', balancer({ type: 'ClusterIP' }), { ...node, masqueradeAll: true }, ['cluster-ip 10.96.0.1 always']],
    [
      'an external IP of the family',
      balancer({ type: 'ClusterIP', externalIPs: ['198.51.100.1', 'fd00::9', 'x'] }),
      node,
      ['cluster-ip 10.96.0.1 outside-pods', 'external-ip 198.51.100.1 always'],
    ],
    [
      'the same under IPv6',
      balancer({ type: 'ClusterIP', externalIPs: ['198.51.100.1', 'fd00::9'], ...six }),
      { ...node, family: 'ip6' },
      ['cluster-ip fd00::1 outside-pods', 'external-ip fd00::9 always'],
    ],
    [
      'addresses that a balancer does not change itself, under Local without masquerading others',
      balancer(
        { externalTrafficPolicy: 'Local' },
        { ip: '192.0.2.1' },
        { ip: '192.0.2.2', ipMode: 'VIP' },
        { ip: '192.0.2.3', ipMode: 'Proxy' },
      ),
      node,
      ['cluster-ip 10.96.0.1 outside-pods', 'load-balancer-ip 192.0.2.1 node', 'load-balancer-ip 192.0.2.2 node'],
    ],
    [
      'source ranges of the family, the widest alone',
      balancer({ loadBalancerSourceRanges: ['10.0.0.0/8', '10.1.0.0/16', 'fd00::/64'] }, { ip: '192.0.2.1' }),
      node,
      ['cluster-ip 10.96.0.1 outside-pods', 'load-balancer-ip 192.0.2.1 always 10.0.0.0/8'],
    ],
    [
      'and the address itself for a node inside',
      balancer({ loadBalancerSourceRanges: ['10.0.0.0/8'] }, { ip: '192.0.2.1' }),
      { ...node, nodeIps: ['10.0.0.5'] },
      ['cluster-ip 10.96.0.1 outside-pods', 'load-balancer-ip 192.0.2.1 always 10.0.0.0/8,192.0.2.1/32'],
    ],
    [
      'IPv6 source ranges',
      balancer({ loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00:1::/64'], ...six }, { ip: 'fd00::2' }),
      { ...node, family: 'ip6' },
      ['cluster-ip fd00::1 outside-pods', 'load-balancer-ip fd00::2 always fd00:1::/64'],
    ],
    [
      'everybody, when ranges are of the other family or of all addresses',
      balancer({ loadBalancerSourceRanges: ['fd00::/64'] }, { ip: '192.0.2.1' }),
      node,
      ['cluster-ip 10.96.0.1 outside-pods', 'load-balancer-ip 192.0.2.1 always'],
    ],
  ];
  for (const [what, s, context, wanted] of frontends)
    test(`serves ${what}`, () => {
      const found = planService(s, slices('here'), context)?.ports[0]?.frontends ?? [];
      assert.deepEqual(
        found.map(({ kind, ip, masquerade, sources }) => [kind, ip, masquerade, ...(sources ? [sources.join()] : [])].join(' ')),
        wanted,
      );
    });

  test('takes an endpoint for one that may be here unless it says that it is elsewhere', () => {
    const [slice] = slices('here and elsewhere') as [EndpointSlice];
    const somewhere = { ...slice, endpoints: [...(slice.endpoints ?? []), { addresses: ['10.244.1.9'] }] };
    const [port] = planService(service('Cluster', 'Cluster'), [somewhere], node)?.ports ?? [];
    assert.deepEqual(
      port?.cluster.map((e) => [e.ip, e.mayBeHere]),
      [
        ['10.244.1.2', true],
        ['10.244.1.3', false],
        ['10.244.1.9', true],
      ],
    );
  });

  test('programs TCP, UDP and SCTP, and no other protocol or port', () => {
    const ports = ['TCP', 'UDP', 'SCTP', 'X'].map((protocol, i) => ({ name: protocol, protocol, port: 80 + i }));
    const plan = planService(balancer({ ports: [...ports, { name: 'none', port: 0 }] }), [], node);
    assert.deepEqual(
      plan?.ports.map(({ protocol }) => protocol),
      ['tcp', 'udp', 'sctp'],
    );
  });

  test('keeps those that end and still serve as draining, in no list, unless nobody else serves', () => {
    const [slice] = slices('here') as [EndpointSlice];
    const ends = { addresses: ['10.244.1.9'], nodeName: 'node1', conditions: { ready: false, serving: true, terminating: true } };
    const port = (endpoints: EndpointSlice['endpoints']): unknown[] => {
      const [planned] = planService(service('Local', 'Cluster'), [{ ...slice, endpoints }], node)?.ports ?? [];
      return [planned?.cluster, planned?.local, planned?.draining].map((list) => list?.map((e) => e.ip));
    };
    assert.deepEqual(port([...(slice.endpoints ?? []), ends]), [['10.244.1.2'], ['10.244.1.2'], ['10.244.1.9']]);
    assert.deepEqual(port([ends]), [['10.244.1.9'], ['10.244.1.9'], undefined]);
  });

  test('counts ready endpoints of this node for health checks of a balancer with policy Local', () => {
    const [slice] = slices('here and elsewhere') as [EndpointSlice];
    const endpoints = [...(slice.endpoints ?? []), { addresses: ['10.244.1.9'], nodeName: 'node1', conditions: { ready: false } }];
    const health = (spec: Partial<NonNullable<Service['spec']>>): unknown =>
      planService(balancer({ healthCheckNodePort: 30_500, externalTrafficPolicy: 'Local', ...spec }), [{ ...slice, endpoints }], node)
        ?.health;
    assert.deepEqual(health({}), { port: 30_500, localReady: 1 });
    assert.equal(health({ externalTrafficPolicy: 'Cluster' }), undefined);
    assert.equal(health({ type: 'NodePort' }), undefined);
  });

  test('reads of many slices those again that changed, and no others', () => {
    let reads = 0;
    const counted = (name: string, ip: string): EndpointSlice => ({
      apiVersion: 'v1',
      kind: 'EndpointSlice',
      metadata: { name },
      addressType: 'IPv4',
      ports: [{ name: '', port: 80 }],
      get endpoints() {
        reads++;
        return [{ addresses: [ip] }];
      },
    });
    const many = Array.from({ length: 50 }, (_, i) => counted(`s${i}`, `10.244.1.${i + 1}`));
    const s = service('Cluster', 'Cluster');
    const ips = (): string[] | undefined => planService(s, many, node)?.ports[0]?.cluster.map((e) => e.ip);
    assert.equal(ips()?.length, 50);
    assert.equal(reads, 50);
    many[7] = counted('s7', '10.244.1.200');
    const after = ips();
    assert.equal(reads, 51);
    assert.ok(after?.includes('10.244.1.200') && !after.includes('10.244.1.8'));
  });

  test('gives a frontend that two ports have to the first', () => {
    const s = service('Cluster', 'Cluster');
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 80 },
    ];
    const plan = planService({ ...s, spec: { ...s.spec, ports } }, slices('here'), node);
    assert.deepEqual(
      plan?.ports.map((p) => p.frontends.length),
      [1, 0],
    );
  });

  test('counts the ready endpoints here for a health check of a load balancer', () => {
    const s = service('Cluster', 'Local');
    const lb: Service = { ...s, spec: { ...s.spec, type: 'LoadBalancer', healthCheckNodePort: 32_000 } };
    assert.deepEqual(planService(lb, slices('here and elsewhere'), node)?.health, { port: 32_000, localReady: 1 });
  });

  test('counts an endpoint of two families once for a health check', () => {
    const s = service('Cluster', 'Local');
    const lb: Service = { ...s, spec: { ...s.spec, type: 'LoadBalancer', healthCheckNodePort: 32_000 } };
    const [slice] = slices('here');
    assert.ok(slice);
    const six: EndpointSlice = { ...slice, addressType: 'IPv6', endpoints: [{ addresses: ['fd00::2'], nodeName: 'node1' }] };
    assert.equal(planService(lb, [slice, six], node)?.health?.localReady, 1);
  });

  test('reads addresses with leading zeros as kube-proxy does', () => {
    const s = service('Cluster', 'Cluster');
    const sloppy: Service = { ...s, spec: { ...s.spec, externalIPs: ['198.051.100.001'] } };
    assert.ok(planService(sloppy, slices('here'), node)?.ports[0]?.frontends.some((f) => f.ip === '198.51.100.1'));
  });

  const sourceRanges: [what: string, given: string[] | undefined, sources: string[] | undefined][] = [
    ['everybody, when none are given', undefined, undefined],
    ['everybody, for an empty list', [], undefined],
    ['whom they name', ['203.0.113.0/24', '10.0.0.0/8', '10.1.0.0/16'], ['10.0.0.0/8', '203.0.113.0/24']],
    ['everybody, when one is the range of all', ['203.0.113.0/24', '0.0.0.0/0'], undefined],
    ['everybody, when all are of the other family', ['fd00::/8', '::/0'], undefined],
    ['whom those of this family name', ['fd00::/8', '203.0.113.0/24'], ['203.0.113.0/24']],
    ['nobody, when none can be read', ['nonsense'], []],
    ['nobody, when the rest is of the other family', ['nonsense', 'fd00::/8'], []],
  ];
  for (const [who, loadBalancerSourceRanges, sources] of sourceRanges)
    test(`lets in ${who}`, () => {
      const s = service('Cluster', 'Cluster');
      const spec = { ...s.spec, type: 'LoadBalancer', ...(loadBalancerSourceRanges ? { loadBalancerSourceRanges } : {}) };
      const plan = planService({ ...s, spec, status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } }, slices('here'), node);
      assert.deepEqual(plan?.ports[0]?.frontends.find((f) => f.kind === 'load-balancer-ip')?.sources, sources);
    });

  test('keeps the source ranges of a load balancer address that is an external one, too', () => {
    const s = service('Cluster', 'Cluster');
    const spec = { ...s.spec, type: 'LoadBalancer', externalIPs: ['198.51.100.1'], loadBalancerSourceRanges: ['203.0.113.0/24'] };
    const lb: Service = { ...s, spec, status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } };
    const frontends = planService(lb, slices('here'), node)?.ports[0]?.frontends.filter((f) => f.ip === '198.51.100.1');
    assert.deepEqual(
      frontends?.map((f) => [f.kind, f.sources]),
      [['load-balancer-ip', ['203.0.113.0/24']]],
    );
  });

  test('leaves out a port that no kernel can serve, and keeps the others', () => {
    const s = service('Cluster', 'Cluster');
    const ports = [{ port: 70_000 }, { port: 80, protocol: 'ICMP' }, { port: 80, nodePort: -1 }];
    const plan = planService({ ...s, spec: { ...s.spec, ports } }, slices('here'), node);
    assert.deepEqual(
      plan?.ports.map((p) => p.frontends.map((f) => `${f.kind} ${f.port}`)),
      [['cluster-ip 80']],
    );
  });
});
