/** Random Services and EndpointSlices as users may write them, and as none should. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { NodeContext } from '../plan/node-context.ts';
import { type Reserved, reservedOf } from '../plan/reserved.ts';

export const contexts: Readonly<Record<TableFamily, NodeContext>> = {
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

export const reserved: Reserved = reservedOf({
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

export class Hostile {
  readonly below: (n: number) => number;
  readonly #addresses: readonly string[];

  /** `coveted` are addresses of others that it writes, too. */
  constructor(seed: number, coveted: readonly string[] = []) {
    this.below = seededRandom(seed);
    this.#addresses = [...addresses, ...coveted];
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
        externalIPs: this.some(this.#addresses, 4),
        loadBalancerSourceRanges: this.some(ranges, 5),
        externalTrafficPolicy: this.one(['Local', 'Cluster', undefined]),
        internalTrafficPolicy: this.one(['Local', 'Cluster', undefined]),
        healthCheckNodePort: this.maybe(32_000),
        sessionAffinity: this.one(['None', 'None', 'ClientIP']),
        sessionAffinityConfig: { clientIP: { timeoutSeconds: this.one([1, 10_800, 86_400, 0, -5, 2 ** 31, Number.NaN]) } },
        ports: servicePorts,
      },
      status: {
        loadBalancer: { ingress: this.some(this.#addresses, 4).map((ip) => ({ ip, ipMode: this.one(['VIP', 'Proxy', undefined]) })) },
      },
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
