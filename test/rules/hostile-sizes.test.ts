/**
 * Services of hostile size in modes on a real kernel: beside them another Service changes and is served, every connection of it, and they are served themselves in
 * the end. ipvs has its own in a guest kernel.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, services } from '../../src/api/resource-types.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { probe } from './probe.ts';
import { ProxyProgram } from './testing/proxy-program.ts';
import { buildTopology, type Topology } from './topology.ts';

const pod = '10.244.1.100';
const endpoints = ['10.244.2.2', '10.244.2.3'] as const;
const good = '10.96.0.100';
const outside = '192.168.120.1';
/** An answer comes at once, but a machine may be busy. */
const timeoutMs = 30_000;
const endpointsPerSlice = 1000;

interface Sizes {
  readonly endpoints: number;
  readonly ranges: number;
  readonly addresses: number;
}

const sizes: Readonly<Record<string, Sizes>> = {
  nftables: { endpoints: 60_000, ranges: 40_000, addresses: 5000 },
  // Its tools take five seconds of CPU for 20,000 endpoints, and a rule in a list for every address.
  iptables: { endpoints: 20_000, ranges: 20_000, addresses: 2000 },
  // A socket for every address.
  userspace: { endpoints: 60_000, ranges: 40_000, addresses: 2000 },
};

const inRange = (first: string, n: number): string => `${first}.${n >> 8}.${n & 255}`;
const addressesIn = (first: string, count: number): string[] => Array.from({ length: count }, (_, n) => inRange(first, n));

function service(name: string, clusterIP: string, spec: object = {}, status: object = {}): object {
  const all = { ipFamilies: ['IPv4'], sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' };
  const ports = [{ port: 80, protocol: 'TCP' }];
  return {
    metadata: { name, namespace: 'default' },
    spec: { ...all, type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports, ...spec },
    status,
  };
}

function slice(name: string, n: number, ips: readonly string[]): object {
  return {
    metadata: { name: `${name}-${n}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  };
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

  /** Makes one of its endpoints the only one of `good`. */
  turn(): string {
    const endpoint = endpoints[this.#turn++ % 2] ?? '';
    this.program.api.put(endpointSlices, slice('good', 0, [endpoint]));
    return endpoint;
  }

  async answeredBy(from: string, to: string): Promise<string> {
    const answer = await probe(this.#topology.namespaceOf(from), to, 80, 'tcp', timeoutMs);
    return answer.kind === 'answered' ? answer.by : answer.kind;
  }

  /** As soon as these objects are there `good` changes, and every connection to it is answered until all of it is served. Says how long each took. */
  async beside(put: () => void, isServed: () => Promise<boolean>): Promise<string> {
    put();
    const begun = performance.now();
    const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(1);
    const endpoint = this.turn();
    let last = '';
    await this.program.until(async () => {
      last = await this.answeredBy(pod, good);
      assert.match(last, /^10\.244\.2\./);
      return last.startsWith(`${endpoint}:`);
    });
    const changed = seconds();
    await this.program.until(async () => {
      assert.ok((await this.answeredBy(pod, good)).startsWith(`${endpoint}:`));
      return await isServed();
    });
    return `another Service changed after ${changed} s, it was served after ${seconds()} s`;
  }
}

const needs = process.getuid?.() === 0 ? false : 'needs root';

describe('Services of hostile size', { skip: needs, concurrency: false }, () => {
  for (const [mode, size] of Object.entries(sizes))
    test(`do not keep others from being served in mode ${mode}: ${JSON.stringify(size)}`, async (t) => {
      const lack = mode === 'iptables' ? await lackingTools() : undefined;
      if (lack) return t.skip(lack);
      await using topology = await buildTopology([pod], endpoints, `z${mode[0]}`);
      // Every address of the range answers.
      const ip = (namespace: string, ...words: string[]): Promise<string> =>
        mustRun(systemExec, 'nsenter', [`--net=${namespace}`, 'ip', ...words]);
      await ip(topology.node.replace(/n1$/, 'n2'), 'route', 'add', 'local', '10.245.0.0/16', 'dev', 'lo');
      await ip(topology.node, 'route', 'add', '10.245.0.0/16', 'via', '192.168.120.12');
      await using program = await ProxyProgram.create(topology.node, ['192.168.120.11']);
      const { api } = program;
      api.replace(services, [service('good', good)]);
      api.replace(endpointSlices, []);
      const node = new Node(program, topology);
      const first = node.turn();
      program.run(
        '--kubeconfig',
        program.kubeconfig,
        '--hostname-override',
        'node1',
        '--cluster-cidr',
        '10.244.0.0/16',
        '--proxy-mode',
        mode,
      );
      await program.until(async () => (await probe(topology.namespaceOf(pod), good, 80, 'tcp', 1000)).kind === 'answered');
      assert.ok((await node.answeredBy(pod, good)).startsWith(`${first}:`));

      const served = (from: string, to: string) => async (): Promise<boolean> => {
        const answer = await probe(topology.namespaceOf(from), to, 80, 'tcp', 1000);
        return answer.kind === 'answered' && answer.by.startsWith('10.24');
      };
      const many = await node.beside(
        () => {
          const ips = addressesIn('10.245', size.endpoints);
          for (let n = 0; n * endpointsPerSlice < ips.length; n++)
            api.put(endpointSlices, slice('many', n, ips.slice(n * endpointsPerSlice, (n + 1) * endpointsPerSlice)));
          api.put(services, service('many', '10.96.0.101'));
        },
        served(pod, '10.96.0.101'),
      );
      t.diagnostic(`endpoints: ${many}`);
      const ranges = await node.beside(
        () => {
          const loadBalancerSourceRanges = [...addressesIn('172.16', size.ranges).map((one) => `${one}/32`), `${outside}/32`];
          api.put(endpointSlices, slice('ranges', 0, endpoints));
          const status = { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } };
          api.put(services, service('ranges', '10.96.0.102', { type: 'LoadBalancer', loadBalancerSourceRanges }, status));
        },
        served(outside, '198.51.100.7'),
      );
      t.diagnostic(`source ranges: ${ranges}`);
      const addresses = await node.beside(
        () => {
          api.put(endpointSlices, slice('addresses', 0, endpoints));
          api.put(services, service('addresses', '10.96.0.103', { externalIPs: addressesIn('198.18', size.addresses) }));
        },
        served(pod, inRange('198.18', size.addresses - 1)),
      );
      t.diagnostic(`external addresses: ${addresses}`);
    });
});
