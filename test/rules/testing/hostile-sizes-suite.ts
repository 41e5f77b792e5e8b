/**
 * Services of hostile size, with names as long as names may be: beside them another Service changes and is served, every connection of it, and they are served
 * themselves in the end, and go again.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, services } from '../../../src/api/resource-types.ts';
import { mustRun, systemExec } from '../../../src/linux/exec.ts';
import { probe } from '../probe.ts';
import { buildTopology, type Topology } from '../topology.ts';
import type { ShellIn } from './program-node.ts';
import { ProxyProgram } from './proxy-program.ts';

const pod = '10.244.1.100';
const endpoints = ['10.244.2.2', '10.244.2.3'] as const;
const good = '10.96.0.100';
const outside = '192.168.120.1';
/** An answer comes at once, but a machine may be busy. */
const timeoutMs = 30_000;
const endpointsPerSlice = 1000;
/** RFC 1123: of a label, and of a name of many. */
const [longestLabel, longestName] = [63, 253];
const namespace = 'hostile-'.padEnd(longestLabel, 'n');
const portName = 'http-'.padEnd(longestLabel, 'p');
const longNamed = (name: string): string => `${name}-`.padEnd(longestLabel, 's');

export interface HostileSizes {
  readonly endpoints: number;
  readonly ranges: number;
  readonly addresses: number;
}

const inRange = (first: string, n: number): string => `${first}.${n >> 8}.${n & 255}`;
const addressesIn = (first: string, count: number): string[] => Array.from({ length: count }, (_, n) => inRange(first, n));

function service(name: string, clusterIP: string, spec: object = {}, status: object = {}): object {
  const all = { ipFamilies: ['IPv4'], sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' };
  const ports = [{ name: portName, port: 80, protocol: 'TCP' }];
  return { metadata: { name, namespace }, spec: { ...all, type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports, ...spec }, status };
}

function slice(name: string, n: number, ips: readonly string[]): object {
  return {
    metadata: { name: `${name}-${n}-`.padEnd(longestName, 'e'), namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: portName, port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  };
}

/** A Service with its endpoints, and where it is to answer. */
interface Hostile {
  readonly what: string;
  readonly service: { readonly metadata?: object };
  readonly slices: readonly object[];
  readonly from: string;
  readonly to: string;
}

function hostileServices(sizes: HostileSizes): Hostile[] {
  const [many, ranges, addresses] = ['many', 'ranges', 'addresses'].map(longNamed) as [string, string, string];
  const ips = addressesIn('10.245', sizes.endpoints);
  const parts = Array.from({ length: Math.ceil(ips.length / endpointsPerSlice) }, (_, n) =>
    slice(many, n, ips.slice(n * endpointsPerSlice, (n + 1) * endpointsPerSlice)),
  );
  const loadBalancerSourceRanges = [...addressesIn('172.16', sizes.ranges).map((one) => `${one}/32`), `${outside}/32`];
  const status = { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } };
  const externalIPs = addressesIn('198.18', sizes.addresses);
  return [
    { what: 'endpoints', service: service(many, '10.96.0.101'), slices: parts, from: pod, to: '10.96.0.101' },
    {
      what: 'source ranges',
      service: service(ranges, '10.96.0.102', { type: 'LoadBalancer', loadBalancerSourceRanges }, status),
      slices: [slice(ranges, 0, endpoints)],
      from: outside,
      to: '198.51.100.7',
    },
    {
      what: 'external addresses',
      service: service(addresses, '10.96.0.103', { externalIPs }),
      slices: [slice(addresses, 0, endpoints)],
      from: pod,
      to: externalIPs.at(-1) ?? '',
    },
  ];
}

/** A proxy at work beside a Service `good`. */
class Node {
  readonly program: ProxyProgram;
  readonly #topology: Topology;
  #turn = 0;

  constructor(program: ProxyProgram, topology: Topology) {
    this.program = program;
    this.#topology = topology;
  }

  get #endpoint(): string {
    return endpoints[this.#turn % 2] ?? '';
  }

  /** Makes another of its endpoints the only one of `good`. */
  turn(): string {
    this.#turn++;
    this.program.api.put(endpointSlices, slice('good', 0, [this.#endpoint]));
    return this.#endpoint;
  }

  async answeredBy(from: string, to: string, patienceMs: number = timeoutMs): Promise<string> {
    const answer = await probe(this.#topology.namespaceOf(from), to, 80, 'tcp', patienceMs);
    return answer.kind === 'answered' ? answer.by : answer.kind;
  }

  /** As soon as these objects are there, or gone, `good` changes, and every connection to it is answered until `isDone`. Says how long each took. */
  async beside(change: () => void, isDone: () => Promise<boolean>): Promise<string> {
    change();
    const begun = performance.now();
    const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(1);
    const endpoint = this.turn();
    await this.program.until(async () => {
      const by = await this.answeredBy(pod, good);
      assert.match(by, /^10\.244\.2\./);
      return by.startsWith(`${endpoint}:`);
    });
    const changed = seconds();
    await this.program.until(async () => {
      assert.ok((await this.answeredBy(pod, good)).startsWith(`${endpoint}:`));
      return await isDone();
    });
    return `another Service changed after ${changed} s, it was so after ${seconds()} s`;
  }

  put({ service, slices }: Hostile): void {
    for (const one of slices) this.program.api.put(endpointSlices, one);
    this.program.api.put(services, service);
  }

  /** Takes away all but `good`. */
  clear(): void {
    this.program.api.replace(services, [service('good', good)]);
    this.program.api.replace(endpointSlices, [slice('good', 0, [this.#endpoint])]);
  }
}

export function testHostileSizes(
  mode: string,
  sizes: HostileSizes,
  options: { readonly lacking?: () => Promise<string | undefined>; readonly shellIn?: ShellIn } = {},
): void {
  const needs = process.getuid?.() === 0 ? false : 'needs root';
  describe('Services of hostile size', { skip: needs, concurrency: false }, () => {
    test(`do not keep others from being served in mode ${mode}: ${JSON.stringify(sizes)}`, async (t) => {
      const lack = await options.lacking?.();
      if (lack) return t.skip(lack);
      await using topology = await buildTopology([pod], endpoints, `z${mode[0]}`);
      // Every address of the range answers.
      const ip = (place: string, ...words: string[]): Promise<string> => mustRun(systemExec, 'nsenter', [`--net=${place}`, 'ip', ...words]);
      await ip(topology.node.replace(/n1$/, 'n2'), 'route', 'add', 'local', '10.245.0.0/16', 'dev', 'lo');
      await ip(topology.node, 'route', 'add', '10.245.0.0/16', 'via', '192.168.120.12');
      await using program = await ProxyProgram.create(topology.node, ['192.168.120.11'], options.shellIn?.(topology.node));
      const node = new Node(program, topology);
      node.clear();
      const flags = ['--kubeconfig', program.kubeconfig, '--hostname-override', 'node1', '--cluster-cidr', '10.244.0.0/16'];
      program.run(...flags, '--proxy-mode', mode);
      await program.until(async () => (await node.answeredBy(pod, good, 1000)).startsWith('10.244.2.'));

      const hostile = hostileServices(sizes);
      const isAnswered = async ({ from, to }: Hostile): Promise<boolean> => (await node.answeredBy(from, to, 1000)).startsWith('10.24');
      for (const one of hostile)
        t.diagnostic(
          `${one.what}: ${await node.beside(
            () => node.put(one),
            () => isAnswered(one),
          )}`,
        );
      for (const one of hostile) assert.ok(await isAnswered(one), one.what);
      const areGone = async (): Promise<boolean> => (await Promise.all(hostile.map(isAnswered))).every((is) => !is);
      t.diagnostic(`all of them go: ${await node.beside(() => node.clear(), areGone)}`);
    });
  });
}
