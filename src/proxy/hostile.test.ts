/**
 * Random hostile Services and EndpointSlices through plan, render and diff into a real kernel: whatever users write, the
 * kernel takes the rest. FUZZ_SEED=N repeats a run, FUZZ_STEPS=N makes it longer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import { seededRandom } from '../clock/testing/seeded-random.ts';
import { kernelIptablesIn, lackingTools } from '../linux/iptables/testing/kernel-in.ts';
import { inNetns } from '../linux/netns.ts';
import { create, diff } from '../linux/nftables/diff.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import { FamilyProxy } from './family.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import { tableName } from './mode/nftables/layout.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import { renderTable } from './mode/nftables/render-table.ts';
import type { NodeContext } from './plan/node-context.ts';
import { Planner } from './plan/planner.ts';
import { reservedOf } from './plan/reserved.ts';

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 32);
const steps = Number(process.env.FUZZ_STEPS ?? 60);
const lackingIptables = await lackingTools();

const contexts: Readonly<Record<TableFamily, NodeContext>> = {
  ip: {
    family: 'ip',
    nodeName: 'node1',
    zone: 'a',
    local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
    masqueradeAll: false,
    nodePortIps: ['192.168.120.11'],
    serviceCidrs: ['10.96.0.0/16'],
    nodeIps: ['192.168.120.11'],
  },
  ip6: {
    family: 'ip6',
    nodeName: 'node1',
    local: { mode: 'None' },
    masqueradeAll: true,
    nodePortIps: 'all',
    serviceCidrs: [],
    nodeIps: ['fd00:120::11'],
  },
};

const reserved = reservedOf({
  nodes: [
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status: { addresses: [{ type: 'InternalIP', address: '192.168.120.11' }] } },
  ],
  slicesOf: () => [],
  addresses: [
    { ip: '192.168.120.11', prefix: 24 },
    { ip: 'fd00:120::11', prefix: 64 },
  ],
  listeners: [{ protocol: 'tcp', port: 443 }],
});
const frontends4 = '10.96.0.1 10.96.0.2 010.096.000.001 198.51.100.1 198.51.100.2 ::ffff:198.51.100.1 192.168.120.11 10.244.1.2'.split(' ');
const frontends6 = 'fd00::1 fd00:0::1 FD00::2 fd00:120::11 ::ffff:0:1.2.3.4'.split(' ');
const oddities = '0.0.0.0 127.0.0.1 224.0.0.1 255.255.255.255 :: ::1 ff02::1 None 1.2.3 fe80::1%eth0 example.com'.split(' ');
const addresses = [...frontends4, ...frontends4, ...frontends6, ...oddities, ''];
const ranges = [
  ...'0.0.0.0/0 0.0.0.0/1 10.0.0.0/8 10.0.0.0/24 10.0.0.5 10.0.0.5/32 192.168.120.0/24 198.51.100.1/32 198.51.100.0/24'.split(' '),
  ...'::/0 fd00::/8 fd00::/64 fd00::1 ::ffff:10.0.0.0/8 10.0.0.0/33 nonsense'.split(' '),
  ' 10.0.0.0/16 ',
  '128.0.0.0/1',
];
const ports = [80, 80, 80, 81, 443, 30_080, 30_081, 65_535, 65_536, 0, -1, 1.5, Number.NaN];
const nodePorts = [30_080, 30_080, 30_081, 80, 0, 70_000];

class Hostile {
  readonly below: (n: number) => number;

  constructor(seed: number) {
    this.below = seededRandom(seed);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  some<T>(list: readonly T[], most: number): T[] {
    return Array.from({ length: this.below(most + 1) }, () => this.one(list));
  }

  maybe<T>(value: T): T | undefined {
    return this.below(2) === 0 ? value : undefined;
  }

  service(name: string): Service {
    const protocol = (): string | undefined => this.one(['TCP', 'TCP', 'UDP', 'SCTP', 'ICMP', undefined]);
    const many = this.below(20) === 0 ? 300 : 3;
    const servicePorts = Array.from({ length: this.below(many) + 1 }, (_, i) => ({
      name: this.one(['', 'a', 'b']),
      port: many > 3 ? i + 1 : this.one(ports),
      protocol: protocol(),
      nodePort: this.maybe(this.one(nodePorts)),
    }));
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'fuzz', creationTimestamp: this.one(['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '']) },
      spec: {
        type: this.one(['ClusterIP', 'NodePort', 'LoadBalancer', 'LoadBalancer']),
        clusterIP: this.one(addresses),
        clusterIPs: this.some(addresses, 3),
        externalIPs: this.some(addresses, 4),
        loadBalancerSourceRanges: this.some(ranges, 5),
        externalTrafficPolicy: this.one(['Local', 'Cluster', undefined]),
        internalTrafficPolicy: this.one(['Local', 'Cluster', undefined]),
        healthCheckNodePort: this.maybe(32_000),
        sessionAffinity: this.one(['None', 'None', 'ClientIP']),
        sessionAffinityConfig: { clientIP: { timeoutSeconds: this.one([1, 10_800, 86_400, 0, -5, 2 ** 31, Number.NaN]) } },
        ports: servicePorts,
      },
      status: { loadBalancer: { ingress: this.some(addresses, 4).map((ip) => ({ ip, ipMode: this.one(['VIP', 'Proxy', undefined]) })) } },
    } as Service;
  }

  slice(service: string, n: number): EndpointSlice {
    const many = this.below(30) === 0 ? 400 : 6;
    const endpoint = (): string =>
      this.one([`10.244.${this.below(2)}.${this.below(many)}`, `fd00:244::${this.below(many)}`, this.one(addresses)]);
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${service}-${n}`, namespace: 'fuzz', labels: { 'kubernetes.io/service-name': service } },
      addressType: this.one(['IPv4', 'IPv4', 'IPv6', 'FQDN']),
      ports: Array.from({ length: this.below(3) }, () => ({
        name: this.one(['', 'a', 'b']),
        port: this.one([8080, 8080, 53, ...ports]),
        protocol: this.one(['TCP', 'UDP', 'SCTP', 'ICMP', undefined]),
      })),
      endpoints: Array.from({ length: this.below(many) }, () => ({
        addresses: [endpoint()],
        nodeName: this.one(['node1', 'node2', undefined]),
        conditions: { ready: this.maybe(this.below(2) === 0), serving: this.maybe(true), terminating: this.maybe(this.below(2) === 0) },
        hints: { forZones: this.some([{ name: 'a' }, { name: 'b' }], 2) },
      })),
    } as EndpointSlice;
  }
}

describe('hostile Services', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  const net = new Namespaces();
  let kernel: KernelNftables;
  let fresh: KernelNftables;
  before(async () => {
    await net.add('a', 'b');
    kernel = inNetns(net.path('a'), () => new KernelNftables());
    fresh = inNetns(net.path('b'), () => new KernelNftables());
  });
  after(async () => {
    kernel?.close();
    fresh?.close();
    await net[Symbol.asyncDispose]();
  });

  for (const family of ['ip', 'ip6'] as const) {
    test(`never keep the kernel from taking the rules, whatever was there before (${family}, FUZZ_SEED=${seed})`, async (t) => {
      t.diagnostic(`FUZZ_SEED=${seed}`);
      const random = new Hostile(seed);
      const node = contexts[family];
      const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
      const services = new Map<string, Service>();
      const slices = new Map<string, EndpointSlice[]>();
      const proxy = await FamilyProxy.open(new NftablesMode(kernel), node);
      proxy.planner.reserve(reserved);
      await proxy.sync();
      for (let step = 0; step < steps; step++) {
        for (let i = random.below(4); i >= 0; i--) {
          const name = random.one(names);
          if (random.below(4) === 0) services.delete(name);
          else if (random.below(2) === 0 || !services.has(name)) services.set(name, random.service(name));
          slices.set(name, random.below(2) === 0 ? [random.slice(name, 0)] : [random.slice(name, 0), random.slice(name, 1)]);
          proxy.put(`fuzz/${name}`, services.get(name), slices.get(name) ?? []);
        }
        const at = `step ${step} of FUZZ_SEED=${seed}`;
        proxy.settle();
        const { full } = await proxy.sync().catch((err: unknown) => assert.fail(`${at}: ${String(err)}`));
        assert.equal(full, false, at);
        // What the changes made is what the same plans make from nothing.
        const wanted = renderTable(proxy.planner.plans.values(), node);
        assert.deepEqual(diff(await kernel.read(family, tableName), wanted), [], at);
        // The plans of a proxy that knows nothing of the past, over whatever an earlier step left, and into an empty kernel.
        const planner = new Planner(node);
        planner.reserve(reserved);
        for (const [name, service] of services) planner.put(`fuzz/${name}`, service, slices.get(name) ?? []);
        planner.take();
        const other = renderTable(planner.plans.values(), node);
        const ops =
          step % 3 === 0
            ? [{ op: 'add-table' } as const, { op: 'delete-table' } as const, ...create(other)]
            : diff(await fresh.read(family, tableName), other);
        await fresh.commit({ family, table: tableName, ops }).catch((err: unknown) => assert.fail(`${at}, afresh: ${String(err)}`));
        assert.deepEqual(diff(await fresh.read(family, tableName), other), [], at);
      }
    });

    const lacking = lackingIptables ?? false;
    test(`never keep iptables from taking the rules (${family}, FUZZ_SEED=${seed})`, { skip: lacking }, async (t) => {
      t.diagnostic(`FUZZ_SEED=${seed}`);
      const random = new Hostile(seed);
      const iptables = kernelIptablesIn(net.path('a'));
      t.after(() => iptables.close());
      const mode = new IptablesMode({ iptables, settings: { read: () => '0', set: () => {} } });
      await mode.probe();
      const proxy = await FamilyProxy.open(mode, contexts[family]);
      proxy.planner.reserve(reserved);
      await proxy.sync();
      for (let step = 0; step < steps / 2; step++) {
        for (let i = random.below(6); i >= 0; i--) {
          const name = `s${random.below(8)}`;
          const service = random.below(4) === 0 ? undefined : random.service(name);
          proxy.put(`fuzz/${name}`, service, [random.slice(name, 0), random.slice(name, 1)]);
        }
        const at = `step ${step} of FUZZ_SEED=${seed}`;
        proxy.settle();
        const { full } = await proxy.sync().catch((err: unknown) => assert.fail(`${at}: ${String(err)}`));
        assert.equal(full, false, at);
        proxy.distrust();
        assert.equal((await proxy.sync()).steps, 0, `${at}: what the changes made is what the same plans make from nothing`);
      }
    });
  }
});
