/** The real kube-proxy in a network namespace of its own, with an API server that says what it is told. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, nodes, serviceCidrs, services } from '../../../src/api/resource-types.ts';
import type { EndpointSlice, Service } from '../../../src/api/schema/types.ts';
import { FakeApiServer } from '../../../src/client/testing/fake-api-server.ts';
import { joinHostPort } from '../../../src/ip/ip.ts';
import { mustRun, start, systemExec } from '../../../src/linux/exec.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import type { NodeContext } from '../../../src/proxy/plan/node-context.ts';
import { inIpv6 } from '../../../src/proxy/testing/ipv6.ts';
import { nodeIp } from '../../../src/proxy/testing/scenario.ts';
import { findProgram } from '../../interop/testing/programs.ts';
import type { PeerCase } from './peer-cases.ts';

/** For hangs: where both share a slow machine with others, a round of it takes a minute. */
const patienceMs = 300_000;
const port = 8001;
const podCidr = '10.244.1.0/24';

export type PeerMode = 'nftables' | 'iptables' | 'ipvs';

interface Listing {
  readonly command: readonly string[];
  /** Any of these tells that the endpoint of a marker is there. */
  shows(marker: string, address: string, vip: string): readonly string[];
}

/** How each mode lists its rules, and how the endpoint of a marker stands there. */
const listings: Readonly<Record<PeerMode, Listing>> = {
  nftables: {
    command: ['nft', 'list', 'ruleset'],
    // Endpoints have chains of their own, since 1.36 only where they need them: else the Service's chain has a map of them.
    shows: (marker, ip) => [`/${marker}/tcp/p__${ip}/1`, ...['ip', 'ip6'].map((family) => mapOfOne(marker, family, ip))],
  },
  iptables: {
    command: ['sh', '-c', 'iptables-save -t nat; ip6tables-save -t nat'],
    shows: (marker, ip) => [`default/${marker}:p -> ${ip.includes(':') ? `[${ip}]` : ip}:1"`],
  },
  ipvs: { command: ['ipvsadm', '-Sn'], shows: (_, ip, vip) => [`${joinHostPort(vip, 1)} -r ${joinHostPort(ip, 1)} `] },
};

function mapOfOne(marker: string, family: string, ip: string): string {
  return `/${marker}/tcp/p {\n\t\tmeta l4proto tcp dnat ${family} to numgen random mod 1 map { 0 : ${ip} . 1 }`;
}

const markerPrefix = 'peer-marker-';

/** Whether a line of a listing is about a Service that `program` adds. */
export function isOfMarker(line: string): boolean {
  return line.includes(markerPrefix);
}

/** Whether an address is of such a Service. */
export function isOfMarkerRange(ip: string): boolean {
  return ['10.96.255.', 'fd00:10:96:255:'].some((range) => ip.startsWith(range));
}

/** What it is told of a node, in the words of its configuration file. */
function configurationOf(mode: PeerMode, contexts: readonly NodeContext[]): object {
  const [{ local, masqueradeAll } = { local: { mode: 'None' } as const, masqueradeAll: false }] = contexts;
  const cidrs = contexts.flatMap((context) => ('cidr' in context.local ? context.local.cidr : []));
  const section = { minSyncPeriod: '1ms', syncPeriod: '30s', masqueradeAll };
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode,
    clusterCIDR: cidrs.join(','),
    detectLocalMode: local.mode === 'None' ? 'ClusterCIDR' : local.mode,
    detectLocal: {
      ...('interface' in local ? { bridgeInterface: local.interface } : {}),
      ...('prefix' in local ? { interfaceNamePrefix: local.prefix } : {}),
    },
    nodePortAddresses: contexts.flatMap(({ nodePortIps }) =>
      nodePortIps === 'all' ? [] : nodePortIps.map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`),
    ),
    hostnameOverride: 'node1',
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    nftables: section,
    iptables: section,
    ipvs: { minSyncPeriod: '1ms', syncPeriod: '30s' },
  };
}

const kubeconfig = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
};

export class KubeProxy implements AsyncDisposable {
  readonly #mode: PeerMode;
  readonly #namespace: string;
  readonly #dir: string;
  readonly #api: FakeApiServer;
  readonly #process: ChildProcess;
  #said = '';
  #round = 0;

  private constructor(mode: PeerMode, namespace: string, dir: string) {
    this.#mode = mode;
    this.#namespace = namespace;
    this.#dir = dir;
    // Without a host, since looking one up takes until this thread is out of the namespace again.
    this.#api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs], (server) =>
      inNetns(namespace, () => server.listen(port)),
    );
    this.#process = start('nsenter', [`--net=${namespace}`, findProgram('kube-proxy') ?? '', '--config', join(dir, 'config')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (part) => {
        this.#said = (this.#said + String(part)).slice(-4000);
      });
  }

  /** In the namespace at a path; `contexts` say what the node is, one of each family. */
  static async start(mode: PeerMode, namespace: string, contexts: readonly NodeContext[]): Promise<KubeProxy> {
    const dir = await mkdtemp(join(tmpdir(), 'fl-peer-'));
    const clientConnection = {
      kubeconfig: join(dir, 'kubeconfig'),
      contentType: 'application/json',
      acceptContentTypes: 'application/json',
    };
    await writeFile(join(dir, 'config'), JSON.stringify({ ...configurationOf(mode, contexts), clientConnection }));
    await writeFile(clientConnection.kubeconfig, JSON.stringify(kubeconfig));
    const peer = new KubeProxy(mode, namespace, dir);
    const zone = contexts.find((context) => context.zone)?.zone ?? 'zone-a';
    const metadata = { name: 'node1', labels: { 'topology.kubernetes.io/zone': zone, 'kubernetes.io/hostname': 'node1' } };
    const addresses = contexts.map(({ family }) => ({ type: 'InternalIP', address: family === 'ip' ? nodeIp : inIpv6(nodeIp) }));
    const podCIDRs = contexts.map(({ local, family }) => {
      const usual = family === 'ip' ? podCidr : inIpv6(podCidr);
      return local.mode === 'NodeCIDR' ? local.cidr : usual;
    });
    peer.#api.replace(nodes, [{ metadata, spec: { podCIDR: podCIDRs[0], podCIDRs }, status: { addresses } }]);
    const cidrs = contexts.flatMap((context) => context.serviceCidrs);
    peer.#api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs } }]);
    return peer;
  }

  /** Gives it the objects, and waits until it has programmed all. */
  async program(given: PeerCase, family: NodeContext['family'] = 'ip'): Promise<void> {
    await this.#programWithMarker(given, family);
    // Virtual servers come one by one, then sets and chains: the next sync starts when all is there.
    if (this.#mode === 'ipvs') await this.#programWithMarker(given, family);
  }

  /** With a Service by which is seen that it follows. */
  async #programWithMarker({ services: given, slices }: PeerCase, family: NodeContext['family']): Promise<void> {
    const name = `${markerPrefix}${++this.#round}`;
    const translate = <T>(value: T): T => (family === 'ip6' ? inIpv6(value) : value);
    const { vip, service, slice } = translate(markerOf(name, this.#round));
    this.#api.replace(services, [...given.map(defaulted), service]);
    this.#api.replace(endpointSlices, [...slices, slice]);
    const { command, shows } = listings[this.#mode];
    const wanted = shows(name, translate(markerEndpoint), vip);
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const listing = await mustRun(systemExec, 'nsenter', [`--net=${this.#namespace}`, ...command]);
      if (wanted.some((line) => listing.includes(line))) return;
      assert.ok(Date.now() < deadline && this.#process.exitCode === null, `kube-proxy does not follow: ${this.#said}`);
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const closed = new Promise((resolve) => this.#process.once('close', resolve));
      this.#process.kill('SIGTERM');
      await closed;
    }
    await this.#api.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

const markerEndpoint = '10.244.2.250';

function markerOf(name: string, round: number): { vip: string; service: object; slice: EndpointSlice } {
  const clusterIP = `10.96.255.${round}`;
  const ports = [{ name: 'p', port: 1, protocol: 'TCP' }];
  const common = { type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' };
  return {
    vip: clusterIP,
    service: { metadata: { name, namespace: 'default' }, spec: { ...common, clusterIP, clusterIPs: [clusterIP], ports } },
    slice: {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: [markerEndpoint], conditions: { ready: true } }],
    },
  };
}

/** What an API server fills in, and kube-proxy relies on. */
function defaulted(service: Service): object {
  const spec = { ...service.spec } as NonNullable<Service['spec']>;
  const { type = 'ClusterIP', sessionAffinity = 'None', internalTrafficPolicy = 'Cluster', clusterIP } = spec;
  const clusterIPs = spec.clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
  const ipFamilies = clusterIPs.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
  const remembers = sessionAffinity === 'ClientIP' ? { clientIP: { timeoutSeconds: 10_800 } } : undefined;
  return {
    ...service,
    spec: {
      ...spec,
      type,
      clusterIPs,
      ipFamilies,
      internalTrafficPolicy,
      sessionAffinity,
      ...(remembers ? { sessionAffinityConfig: spec.sessionAffinityConfig ?? remembers } : {}),
      ports: (spec.ports ?? []).map((port) => ({ name: '', protocol: 'TCP', ...port })),
    },
  };
}
