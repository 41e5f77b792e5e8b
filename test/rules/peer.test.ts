/**
 * The same Services given to kube-proxy in nftables mode and to this proxy, each in a network of its own with the same addresses;
 * then the same packets to both, which must meet the same fate. Needs the program: on the path, or FAIRLEAD_KUBE_PROXY.
 * PEER_SEED=N repeats the random part.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { endpointSlices, nodes, serviceCidrs, services } from '../../src/api/resource-types.ts';
import type { EndpointSlice, Service } from '../../src/api/schema/types.ts';
import { FakeApiServer } from '../../src/client/testing/fake-api-server.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { mustRun, start, systemExec } from '../../src/linux/exec.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { create } from '../../src/linux/nftables/diff.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { renderTable } from '../../src/proxy/mode/nftables/render-table.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { planService } from '../../src/proxy/plan/plan-service.ts';
import { nodeIp } from '../../src/proxy/testing/scenario.ts';
import { scenarios } from '../../src/proxy/testing/scenarios.ts';
import { findProgram, lacksProgram } from '../interop/testing/programs.ts';
import { probe } from './probe.ts';
import { buildTopology, type Topology } from './topology.ts';

const program = findProgram('kube-proxy');
const seed = Number(process.env.PEER_SEED ?? Date.now() % 2 ** 32);
const randomCases = Number(process.env.PEER_CASES ?? 6);
const outside = '192.168.120.1';
const localPods = ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.100'];
const remotePods = ['10.244.2.2', '10.244.2.3', '10.244.2.4'];
const silenceMs = 300;
/** A busy machine may be silent for a while where it would answer: what seems to differ is tried again with more patience. */
const patienceMs = 3000;

const usual: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  zone: 'zone-a',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: [nodeIp],
  serviceCidrs: ['10.96.0.0/16'],
  nodeIps: [nodeIp],
};

interface Case {
  readonly name: string;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

interface Packet {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** A client keeps the endpoint that it was given at random: only that it is one can be compared. */
  readonly sticky: boolean;
}

function scenarioCases(): Case[] {
  return scenarios
    .filter(({ scenario }) => scenario.node.family === 'ip')
    .map(({ name, scenario: { services, slices } }) => ({ name, services, slices }));
}

/** Services as an API server would take them, of every kind and mixture. */
function randomCase(below: (n: number) => number, index: number): Case {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const services: Service[] = [];
  const slices: EndpointSlice[] = [];
  for (let n = 0; n < 4; n++) {
    const type = one(['ClusterIP', 'NodePort', 'LoadBalancer']);
    const protocol = one(['TCP', 'TCP', 'UDP']);
    const external = type === 'ClusterIP' ? undefined : one(['Cluster', 'Local']);
    const externalIPs = below(3) === 0 ? [`198.51.100.${10 + n}`] : [];
    const allocates = type === 'NodePort' || (type === 'LoadBalancer' && below(4) > 0);
    const ranges = one([
      [],
      [],
      ['192.168.120.0/24'],
      ['10.244.0.0/16'],
      ['203.0.113.0/24', '203.0.113.8/29'],
      ['0.0.0.0/0', '10.0.0.0/8'],
    ]);
    services.push({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `r${n}`, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: {
        type,
        clusterIP: `10.96.1.${index * 4 + n}`,
        clusterIPs: [`10.96.1.${index * 4 + n}`],
        ipFamilies: ['IPv4'],
        ports: [{ name: 'p', port: 80, protocol, targetPort: 8080, ...(allocates ? { nodePort: 30_100 + index * 4 + n } : {}) }],
        internalTrafficPolicy: one(['Cluster', 'Cluster', 'Local']),
        ...(external ? { externalTrafficPolicy: external } : {}),
        ...(externalIPs.length > 0 ? { externalIPs, externalTrafficPolicy: external ?? one(['Cluster', 'Local']) } : {}),
        ...(type === 'LoadBalancer' ? { loadBalancerSourceRanges: ranges, allocateLoadBalancerNodePorts: allocates } : {}),
        sessionAffinity: 'None',
      },
      ...(type === 'LoadBalancer'
        ? { status: { loadBalancer: { ingress: [{ ip: `198.51.100.${30 + n}`, ipMode: one(['VIP', 'VIP', 'Proxy']) }] } } }
        : {}),
    });
    const hints = below(3);
    // Slices may overlap; of an endpoint that two of them describe differently, kube-proxy takes the one that its map gives first.
    const endpoints = new Map(
      [...localPods.slice(0, 3), ...remotePods].map((ip) => {
        const state = below(5);
        return [
          ip,
          {
            addresses: [ip],
            nodeName: ip.startsWith('10.244.1.') ? 'node1' : 'node2',
            zone: ip.startsWith('10.244.1.') ? 'zone-a' : 'zone-b',
            conditions: { ready: state > 1, serving: state > 0, terminating: state <= 1 },
            ...(hints === 1 ? { hints: { forZones: [{ name: one(['zone-a', 'zone-b']) }] } } : {}),
            ...(hints === 2 ? { hints: { forZones: [{ name: 'zone-a' }], forNodes: [{ name: one(['node1', 'node2']) }] } } : {}),
          },
        ];
      }),
    );
    for (let s = 0; s < 2; s++) {
      const pool = one([[...localPods.slice(0, 3), ...remotePods], localPods.slice(0, 3), remotePods, []]);
      slices.push({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `r${n}-${s}`, namespace: 'default', labels: { 'kubernetes.io/service-name': `r${n}` } },
        addressType: 'IPv4',
        ports: [{ name: 'p', port: 8080, protocol }],
        endpoints: pool.filter(() => below(2) === 0).flatMap((ip) => endpoints.get(ip) ?? []),
      });
    }
  }
  return { name: `random ${index}`, services, slices };
}

/** Every address of every port, from everywhere; and some that nobody serves. */
function packetsOf({ services }: Case): Packet[] {
  const packets = new Map<string, Packet>();
  const froms = [localPods[3] ?? '', localPods[0] ?? '', nodeIp, outside];
  // An address of the Service ranges that none of these Services has is left out: kube-proxy drops what goes there, we refuse it.
  const isOurs = ({ metadata }: Service): boolean => metadata.labels?.['service.kubernetes.io/service-proxy-name'] === undefined;
  const known = new Set(services.filter(isOurs).map(({ spec }) => spec?.clusterIP));
  const add = (to: string, port: number, protocol: string, from: readonly string[] = froms): void => {
    if (to.startsWith('10.96.') && !known.has(to)) return;
    for (const source of from) packets.set(`${source} ${to} ${port} ${protocol}`, { from: source, to, port, protocol, sticky });
  };
  let sticky = false;
  for (const { spec, status } of services) {
    sticky = spec?.sessionAffinity === 'ClientIP';
    if (!spec?.clusterIP || spec.clusterIP === 'None') continue;
    for (const port of spec.ports ?? []) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      if (protocol === 'sctp') continue;
      const ips = [spec.clusterIP, ...(spec.externalIPs ?? []), ...(status?.loadBalancer?.ingress ?? []).flatMap((i) => i.ip ?? [])];
      for (const ip of ips) add(ip, port.port, protocol);
      if (port.nodePort) {
        add(nodeIp, port.nodePort, protocol);
        add('10.244.1.1', port.nodePort, protocol, [localPods[3] ?? '', nodeIp]);
        add('127.0.0.1', port.nodePort, protocol, [nodeIp]);
      }
    }
    add(spec.clusterIP, 9, 'tcp');
  }
  return [...packets.values()];
}

async function shoot(topology: Topology, packet: Packet, timeoutMs: number, fates: Set<string>): Promise<void> {
  const result = await probe(topology.namespaceOf(packet.from), packet.to, packet.port, packet.protocol, timeoutMs);
  const answer = result.kind !== 'answered' ? result.kind : packet.sticky ? 'one answers' : `${result.by} sees ${result.client}`;
  fates.add(answer);
}

const text = (fates: ReadonlySet<string>): string => [...fates].toSorted().join(', ');

describe('kube-proxy and this proxy', { skip: cannotMakeNamespaces || lacksProgram('kube-proxy'), concurrency: false }, () => {
  let dir: string;
  let theirs: Topology;
  let ours: Topology;
  let nft: KernelNftables;
  let api: FakeApiServer;
  let peer: ChildProcess;
  let said = '';
  let round = 0;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fl-peer-'));
    theirs = await buildTopology(localPods, remotePods, 'k');
    ours = await buildTopology(localPods, remotePods, 'o');
    nft = inNetns(ours.node, () => new KernelNftables());
    // kube-proxy refuses by ICMP, of which the kernel sends few; we reset.
    const sysctls = ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=100000', 'net.ipv4.icmp_msgs_burst=100000'];
    for (const { node } of [theirs, ours])
      for (const sysctl of sysctls)
        await systemExec.run('ip', ['netns', 'exec', node.slice('/run/netns/'.length), 'sysctl', '-qw', sysctl]);
    // Without a host, since looking one up takes until this thread is out of the namespace again.
    api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs], (server) => inNetns(theirs.node, () => server.listen(8001)));
    const labels = { 'topology.kubernetes.io/zone': 'zone-a', 'kubernetes.io/hostname': 'node1' };
    api.replace(nodes, [
      {
        metadata: { name: 'node1', labels },
        spec: { podCIDR: '10.244.1.0/24' },
        status: { addresses: [{ type: 'InternalIP', address: nodeIp }] },
      },
    ]);
    api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/16'] } }]);
    const config = {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      clusterCIDR: '10.244.0.0/16',
      hostnameOverride: 'node1',
      clientConnection: { kubeconfig: join(dir, 'kubeconfig'), contentType: 'application/json', acceptContentTypes: 'application/json' },
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
      nftables: { minSyncPeriod: '0s', syncPeriod: '30s' },
    };
    await writeFile(join(dir, 'config'), JSON.stringify(config));
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:8001' } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: {} }],
      'current-context': 'c',
    };
    await writeFile(join(dir, 'kubeconfig'), JSON.stringify(kubeconfig));
    const namespace = theirs.node.slice('/run/netns/'.length);
    peer = start('ip', ['netns', 'exec', namespace, program ?? '', '--config', join(dir, 'config')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [peer.stdout, peer.stderr]) stream?.on('data', (part) => (said = (said + String(part)).slice(-4000)));
  });
  after(async () => {
    if (peer && peer.exitCode === null) {
      const closed = new Promise((resolve) => peer.once('close', resolve));
      peer.kill('SIGTERM');
      await closed;
    }
    await api?.close();
    nft?.close();
    await theirs?.[Symbol.asyncDispose]();
    await ours?.[Symbol.asyncDispose]();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  /** Gives kube-proxy the objects, with a Service at the end of which is seen that it has programmed all. */
  async function programTheirs(given: Case): Promise<void> {
    const namespace = theirs.node.slice('/run/netns/'.length);
    const name = `marker${++round}`;
    const marker = {
      metadata: { name, namespace: 'default' },
      spec: {
        type: 'ClusterIP',
        clusterIP: `10.96.255.${round}`,
        clusterIPs: [`10.96.255.${round}`],
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ports: [{ name: 'p', port: 1, protocol: 'TCP' }],
      },
    };
    const slice = {
      metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'p', port: 1, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.244.2.250'], conditions: { ready: true } }],
    };
    api.replace(services, [...given.services.map(defaulted), marker]);
    api.replace(endpointSlices, [...given.slices, slice]);
    const deadline = Date.now() + 15_000;
    for (;;) {
      const { stdout } = await systemExec.run('ip', ['netns', 'exec', namespace, 'nft', 'list', 'ruleset']);
      if (stdout.includes(`/${name}/tcp/p__10.244.2.250/1`)) return;
      assert.ok(Date.now() < deadline && peer.exitCode === null, `kube-proxy does not follow: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function programOurs(given: Case): Promise<void> {
    const plans = given.services.flatMap((service) => {
      const own = given.slices.filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name);
      return planService(service, own, usual) ?? [];
    });
    const table = renderTable(plans, usual);
    await nft.commit({ family: 'ip', table: table.name, ops: [{ op: 'add-table' }, { op: 'delete-table' }, ...create(table)] });
  }

  async function compare(packet: Packet, timeoutMs: number): Promise<string | undefined> {
    const [a, b] = [new Set<string>(), new Set<string>()];
    for (let i = 1; i <= 60; i++) {
      await Promise.all([shoot(theirs, packet, timeoutMs, a), shoot(ours, packet, timeoutMs, b)]);
      // Of one endpoint or none, a few tries say enough; of more, as many as it takes to see them all.
      if (text(a) === text(b) && i >= (a.has('silent') ? 2 : a.size === 1 ? 4 : 10)) return undefined;
      if (i >= 3 && (a.has('silent') !== b.has('silent') || a.has('refused') !== b.has('refused'))) break;
    }
    return `${packet.from} → ${packet.to}:${packet.port}/${packet.protocol}: kube-proxy ${text(a)}; we ${text(b)}`;
  }

  const below = seededRandom(seed);
  const cases = [...scenarioCases(), ...Array.from({ length: randomCases }, (_, i) => randomCase(below, i))];
  for (const given of cases)
    test(`agree on ${given.name}${given.name.startsWith('random') ? ` of PEER_SEED=${seed}` : ''}`, async () => {
      await Promise.all([programTheirs(given), programOurs(given)]);
      const flush = (t: Topology): Promise<string> =>
        mustRun(systemExec, 'ip', ['netns', 'exec', t.node.slice('/run/netns/'.length), 'conntrack', '-F']);
      await Promise.all([flush(theirs), flush(ours)]);
      const differences: string[] = [];
      for (const packet of packetsOf(given)) {
        const difference = (await compare(packet, silenceMs)) && (await compare(packet, patienceMs));
        if (difference) differences.push(difference);
      }
      assert.deepEqual(differences, []);
    });
});

/** What an API server fills in, and kube-proxy relies on. */
function defaulted(service: Service): object {
  const spec = { ...service.spec } as NonNullable<Service['spec']>;
  const affinity = spec.sessionAffinity ?? 'None';
  return {
    ...service,
    spec: {
      ...spec,
      internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster',
      sessionAffinity: affinity,
      ...(affinity === 'ClientIP' ? { sessionAffinityConfig: spec.sessionAffinityConfig ?? { clientIP: { timeoutSeconds: 10_800 } } } : {}),
      ports: (spec.ports ?? []).map((port) => ({ name: '', protocol: 'TCP', ...port })),
    },
  };
}
