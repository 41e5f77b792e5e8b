/** What kube-proxy and this proxy are both given: the scenarios, Services of every kind and mixture made at random, and packets to all of them. Pure. */
import type { EndpointSlice, Service } from '../../../src/api/schema/types.ts';
import { seededRandom } from '../../../src/clock/testing/seeded-random.ts';
import { parseCidr } from '../../../src/ip/ip.ts';
import { algorithmAnnotation } from '../../../src/proxy/plan/algorithm.ts';
import type { NodeContext } from '../../../src/proxy/plan/node-context.ts';
import { planService } from '../../../src/proxy/plan/plan-service.ts';
import type { ServicePlan } from '../../../src/proxy/plan/service-plan.ts';
import { inIpv6 } from '../../../src/proxy/testing/ipv6.ts';
import { nodeIp } from '../../../src/proxy/testing/scenario.ts';
import { type NamedScenario, scenarios } from '../../../src/proxy/testing/scenarios.ts';

const outside = '192.168.120.1';
export const localPods: readonly string[] = ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.100'];
export const remotePods: readonly string[] = ['10.244.2.2', '10.244.2.3', '10.244.2.4'];

export interface PeerCase {
  readonly name: string;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

export interface PeerPacket {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** A client keeps the endpoint that it was given at random: only that it is one can be compared. */
  readonly sticky: boolean;
}

/** Where no source range can be read we let nobody in, and kube-proxy everybody. */
function hasReadableSources({ spec }: Service): boolean {
  const ranges = spec?.loadBalancerSourceRanges ?? [];
  return ranges.length === 0 || ranges.some((range) => parseCidr(range) !== undefined);
}

/** What a scenario has, but for what is known to differ and the annotation that kube-proxy does not know. */
export function caseOf({ title, scenario: { services, slices } }: NamedScenario): PeerCase {
  const plain = services.filter(hasReadableSources).map((service) => {
    const { [algorithmAnnotation]: _, ...annotations } = service.metadata.annotations ?? {};
    return { ...service, metadata: { ...service.metadata, annotations } };
  });
  return { name: title, services: plain, slices };
}

/** Whether two slices describe an endpoint differently: kube-proxy takes the one that its map gives first, now this, now that. */
function isContradictory(slices: readonly EndpointSlice[]): boolean {
  const described = new Map<string, string>();
  for (const { metadata, endpoints } of slices)
    for (const { addresses, conditions } of endpoints ?? []) {
      const endpoint = `${metadata.labels?.['kubernetes.io/service-name']} ${addresses[0]}`;
      const as = JSON.stringify(conditions);
      if ((described.get(endpoint) ?? as) !== as) return true;
      described.set(endpoint, as);
    }
  return false;
}

/** Scenarios in which kube-proxy has one answer, and this proxy programs all that Services ask for. What others hold it refuses (src/proxy/README.md). */
export const peerScenarios: readonly NamedScenario[] = scenarios.filter(
  ({ scenario }) => scenario.refused.length === 0 && !isContradictory(scenario.slices),
);

type Below = (n: number) => number;

function one<T>(below: Below, list: readonly T[]): T {
  return list[below(list.length)] as T;
}

function randomService(below: Below, index: number, n: number): Service {
  const type = one(below, ['ClusterIP', 'NodePort', 'LoadBalancer']);
  const protocol = one(below, ['TCP', 'TCP', 'UDP']);
  const external = type === 'ClusterIP' ? undefined : one(below, ['Cluster', 'Local']);
  const externalIPs = below(3) === 0 ? [`198.51.100.${10 + n}`] : [];
  const allocates = type === 'NodePort' || (type === 'LoadBalancer' && below(4) > 0);
  const ranges = one(below, [
    [],
    [],
    ['192.168.120.0/24'],
    ['10.244.0.0/16'],
    ['203.0.113.0/24', '203.0.113.8/29'],
    ['0.0.0.0/0', '10.0.0.0/8'],
  ]);
  const clusterIP = `10.96.1.${index * 4 + n}`;
  const isSticky = below(4) === 0;
  const nodePort = (first: number): object => (allocates ? { nodePort: first + index * 4 + n } : {});
  const ports = [
    { name: 'p', port: 80, protocol, targetPort: 8080, ...nodePort(30_100) },
    { name: 'q', port: 81, protocol, targetPort: 9090, ...nodePort(31_100) },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `r${n}`, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      type,
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ['IPv4'],
      ports: ports.slice(0, 1 + below(2)),
      internalTrafficPolicy: one(below, ['Cluster', 'Cluster', 'Local']),
      ...(external ? { externalTrafficPolicy: external } : {}),
      ...(externalIPs.length > 0 ? { externalIPs, externalTrafficPolicy: external ?? one(below, ['Cluster', 'Local']) } : {}),
      ...(type === 'LoadBalancer' ? { loadBalancerSourceRanges: ranges, allocateLoadBalancerNodePorts: allocates } : {}),
      ...(type === 'LoadBalancer' && external === 'Local' ? { healthCheckNodePort: 32_100 + index * 4 + n } : {}),
      sessionAffinity: isSticky ? 'ClientIP' : 'None',
      ...(isSticky ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 * (1 + below(180)) } } } : {}),
    },
    ...(type === 'LoadBalancer'
      ? { status: { loadBalancer: { ingress: [{ ip: `198.51.100.${30 + n}`, ipMode: one(below, ['VIP', 'VIP', 'Proxy']) }] } } }
      : {}),
  };
}

function randomSlices(below: Below, n: number, protocol: string | undefined): EndpointSlice[] {
  const hints = below(3);
  const pods = localPods.slice(0, 3);
  // Slices may overlap, but they agree on what they describe.
  const endpoints = new Map(
    [...pods, ...remotePods].map((ip) => {
      const state = below(5);
      const isLocal = localPods.includes(ip);
      const endpoint = {
        addresses: [ip],
        nodeName: isLocal ? 'node1' : 'node2',
        zone: isLocal ? 'zone-a' : 'zone-b',
        conditions: { ready: state > 1, serving: state > 0, terminating: state <= 1 },
        ...(hints === 1 ? { hints: { forZones: [{ name: one(below, ['zone-a', 'zone-b']) }] } } : {}),
        ...(hints === 2 ? { hints: { forZones: [{ name: 'zone-a' }], forNodes: [{ name: one(below, ['node1', 'node2']) }] } } : {}),
      };
      return [ip, endpoint] as const;
    }),
  );
  return [0, 1].map((s) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `r${n}-${s}`, namespace: 'default', labels: { 'kubernetes.io/service-name': `r${n}` } },
    addressType: 'IPv4',
    ports: [
      { name: 'p', port: 8080, ...(protocol ? { protocol } : {}) },
      { name: 'q', port: 9090, ...(protocol ? { protocol } : {}) },
    ],
    endpoints: one(below, [[...pods, ...remotePods], pods, remotePods, []])
      .filter(() => below(2) === 0)
      .flatMap((ip) => endpoints.get(ip) ?? []),
  }));
}

type Spec = NonNullable<Service['spec']>;
type Oddity = (given: Service, slices: readonly EndpointSlice[]) => readonly [service: Service, slices: readonly EndpointSlice[]];

function withSpec(change: (spec: Spec) => Partial<Spec>): Oddity {
  return (service, slices) => [{ ...service, spec: { ...service.spec, ...change(service.spec as Spec) } as Spec }, slices];
}

function withEndpoints(change: (endpoint: Endpoint, i: number) => Endpoint): Oddity {
  return (service, slices) => [service, slices.map((slice) => ({ ...slice, endpoints: (slice.endpoints ?? []).map(change) }))];
}

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

/** What few Services have, and what is as right as all else. */
const oddities: readonly Oddity[] = [
  // One number for two protocols, as of a DNS server.
  (service, slices) => [
    {
      ...service,
      spec: {
        ...service.spec,
        ports: (service.spec?.ports ?? []).map((port, i) => ({ ...port, port: 80, protocol: i === 0 ? 'TCP' : 'UDP' })),
      },
    },
    slices.map((slice) => ({ ...slice, ports: (slice.ports ?? []).map((port, i) => ({ ...port, protocol: i === 0 ? 'TCP' : 'UDP' })) })),
  ],
  // The only port has no name.
  (service, slices) => [
    { ...service, spec: { ...service.spec, ports: (service.spec?.ports ?? []).slice(0, 1).map((port) => ({ ...port, name: '' })) } },
    slices.map((slice) => ({ ...slice, ports: (slice.ports ?? []).slice(0, 1).map((port) => ({ ...port, name: '' })) })),
  ],
  // Addresses of both families, and one twice.
  withSpec(({ externalIPs = [] }) => ({ externalIPs: [...externalIPs, 'fd00:c6::10', ...externalIPs.slice(0, 1)] })),
  // Balancers with a name, and with several addresses.
  (service, slices) => {
    const [first] = service.status?.loadBalancer?.ingress ?? [];
    if (!first?.ip) return [service, slices];
    const second = first.ip.replace('198.51.100.3', '198.51.100.5');
    const ingress = [{ hostname: 'balancer.example.com' }, first, { ip: second }];
    return [{ ...service, status: { loadBalancer: { ingress } } }, slices];
  },
  // Ranges as people write them, the balancer's own and the node's among them.
  withSpec(({ loadBalancerSourceRanges: ranges }) =>
    ranges ? { loadBalancerSourceRanges: [' 192.168.120.11/32', '198.51.100.0/24 ', 'fd00::/8', ...ranges, ...ranges] } : {},
  ),
  withSpec(({ sessionAffinity }) =>
    sessionAffinity === 'ClientIP' ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_400 } } } : {},
  ),
  withSpec(() => ({ publishNotReadyAddresses: true })),
  // Whose they are is not known, or nothing else is.
  withEndpoints(({ nodeName: _, ...endpoint }) => endpoint),
  withEndpoints(({ addresses }) => ({ addresses })),
  // In the node's own network.
  withEndpoints((endpoint, i) => (i === 0 ? { addresses: [nodeIp], nodeName: 'node1' } : endpoint)),
  (service, slices) => [service, slices.map((slice) => ({ ...slice, ports: [] }))],
  (service, slices) => [
    service,
    slices.map((slice, i) =>
      // What a slice has is never of another type: it is another one.
      i === 0 ? { ...slice, metadata: { ...slice.metadata, name: `${slice.metadata.name}-names` }, addressType: 'FQDN' } : slice,
    ),
  ],
];

/** Services as an API server would take them, of every kind and mixture. `isOdd`: some are unusual. */
export function randomCase(below: Below, index: number, isOdd = false): PeerCase {
  const services: Service[] = [];
  const slices: EndpointSlice[] = [];
  for (let n = 0; n < 4; n++) {
    const usual = randomService(below, index, n);
    const usualSlices = randomSlices(below, n, usual.spec?.ports?.[0]?.protocol);
    const [service, own] = isOdd && below(3) === 0 ? one(below, oddities)(usual, usualSlices) : [usual, usualSlices];
    services.push(service);
    slices.push(...own);
  }
  return { name: `random ${index}`, services, slices };
}

type Destination = readonly [to: string, port: number, protocol: string, from?: readonly string[]];

const [pod = '', , , otherPod = ''] = localPods;
const everywhere: readonly string[] = [otherPod, pod, nodeIp, outside];

/** Every IPv4 address of every port; and a port that is nobody's. */
function* destinationsOf({ spec, status }: Service): Generator<Destination> {
  if (!spec?.clusterIP || spec.clusterIP === 'None') return;
  const isOfFamily = (ip: string | undefined): ip is string => ip !== undefined && !ip.includes(':');
  const clusterIps = (spec.clusterIPs ?? [spec.clusterIP]).filter(isOfFamily);
  const others = [...(spec.externalIPs ?? []), ...(status?.loadBalancer?.ingress ?? []).map((i) => i.ip)].filter(isOfFamily);
  if (clusterIps.length === 0) return;
  for (const { port, nodePort, protocol: named = 'TCP' } of spec.ports ?? []) {
    const protocol = named.toLowerCase();
    if (protocol === 'sctp') continue;
    for (const ip of [...clusterIps, ...others]) yield [ip, port, protocol];
    if (!nodePort) continue;
    yield [nodeIp, nodePort, protocol];
    yield ['10.244.1.1', nodePort, protocol, [otherPod, nodeIp]];
    yield ['127.0.0.1', nodePort, protocol, [nodeIp]];
  }
  for (const ip of clusterIps) yield [ip, 9, 'tcp', [otherPod, outside]];
}

/** Packets to all of them, from everywhere. */
export function packetsOf({ services }: PeerCase): PeerPacket[] {
  const packets = new Map<string, PeerPacket>();
  // An address of the Service ranges that none of these Services has is left out: in nftables mode kube-proxy drops what goes there, we refuse it.
  const isOurs = ({ metadata }: Service): boolean => metadata.labels?.['service.kubernetes.io/service-proxy-name'] === undefined;
  const known = new Set(services.filter(isOurs).flatMap(({ spec }) => spec?.clusterIPs ?? spec?.clusterIP ?? []));
  for (const service of services) {
    const sticky = service.spec?.sessionAffinity === 'ClientIP';
    for (const [to, port, protocol, from = everywhere] of destinationsOf(service)) {
      if (to.startsWith('10.96.') && !known.has(to)) continue;
      for (const source of from) packets.set(`${source} ${to} ${port} ${protocol}`, { from: source, to, port, protocol, sticky });
    }
  }
  return [...packets.values()];
}

/**
 * The pods that a slice names without their node. Since 1.36 kube-proxy's mode nftables masquerades a pod that is sent to itself only where the slice
 * says that it is on this node: without it such a connection gets no answer. Ours does.
 */
export function podsWithoutNode({ slices }: PeerCase): ReadonlySet<string> {
  return new Set(slices.flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses, nodeName }) => (nodeName ? [] : addresses))));
}

/** What the Services come to on a node, whoever else has their addresses: kube-proxy does not ask. */
export function plansOf({ services, slices }: PeerCase, node: NodeContext): ServicePlan[] {
  return services.flatMap((service) => {
    const own = slices.filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name);
    return planService(service, own, node) ?? [];
  });
}

const seed = Number(process.env.PEER_SEED ?? Date.now() % 2 ** 32);
const randomCases = Number(process.env.PEER_CASES ?? 6);

export interface Round {
  readonly given: PeerCase;
  readonly node: NodeContext;
}

function byNode(rounds: readonly Round[]): (readonly Round[])[] {
  const groups = Map.groupBy(rounds, ({ node: { local, masqueradeAll, nodePortIps, zone } }) =>
    // Of both families the same.
    JSON.stringify(inIpv6([local, masqueradeAll, nodePortIps, zone])),
  );
  return [...groups.values()];
}

export const isLoopback = (ip: string): boolean => ip === '127.0.0.1' || ip === '::1';

function allRounds(): Round[] {
  const below = seededRandom(seed);
  const written = peerScenarios.map((named) => ({ given: caseOf(named), node: named.scenario.node }));
  const usual = written.find(({ given }) => given.name === 'web')?.node;
  if (!usual) throw new Error('Cannot find the scenario "web"');
  const nodes: readonly NodeContext[] = [
    { ...usual, zone: 'zone-a' },
    { ...usual, zone: 'zone-a', nodePortIps: 'all', masqueradeAll: true },
    { ...usual, zone: 'zone-b', nodePortIps: 'all', local: { mode: 'None' } },
  ];
  const random = nodes.flatMap((node, i) =>
    Array.from({ length: randomCases }, (_, n) => {
      const given = randomCase(below, n, true);
      return { given: { ...given, name: `${given.name} at node ${i} of PEER_SEED=${seed}` }, node };
    }),
  );
  return [...written, ...random];
}

/** Every scenario and some random cases, in both families, by nodes that are the same for kube-proxy, which learns of its node once. */
export function peerRounds(): (readonly Round[])[] {
  return byNode(allRounds());
}
