/**
 * How fast rules get into the kernel: this proxy against `nft -f` of kube-proxy's layout (a chain per Service and per
 * endpoint), in the same run, each in a network namespace of its own. The peer's text is made beforehand and not counted;
 * ours is counted from objects to kernel.
 */
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import { labelServiceName } from '../api/well-known.ts';
import { mustRun, systemExec } from '../linux/exec.ts';
import { inNetns } from '../linux/netns.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import { FamilyProxy } from './family.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import type { NodeContext } from './plan/node-context.ts';

interface BenchOptions {
  readonly services: number;
  readonly endpoints: number;
  /** Repetitions of the single change. */
  readonly changes: number;
}

interface BenchResult {
  readonly what: string;
  readonly oursMs: number;
  readonly peerMs: number;
  /** How many times faster we are. */
  readonly ratio: number;
}

export const benchNode: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: ['192.168.120.11'],
  serviceCidrs: ['10.96.0.0/16'],
  nodeIps: ['192.168.120.11'],
};

const clusterIp = (n: number): string => `10.96.${n >> 8}.${n & 255}`;
const endpointIp = (n: number): string => `10.${244 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;

export function benchService(n: number): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'bench', name: `s${n}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { type: 'ClusterIP', clusterIP: clusterIp(n), ports: [{ port: 80 }] },
  };
}

export function benchSlice(n: number, ips: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'bench', name: `s${n}-1`, labels: { [labelServiceName]: `s${n}` } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  };
}

export function ipsOf(n: number, options: Pick<BenchOptions, 'endpoints'>, shift = 0): string[] {
  return Array.from({ length: options.endpoints }, (_, e) => endpointIp(n * options.endpoints + e + (e === 0 ? shift : 0)));
}

/** One Service's chains as kube-proxy 1.33 lays them out. */
function peerService(n: number, ips: readonly string[]): string {
  const name = `service-HASH${n}-bench/s${n}/tcp/`;
  const chains = ips.map((ip) => `endpoint-HASH-bench/s${n}/tcp/__${ip}/8080`);
  const lines = ips.map(
    (ip, i) =>
      `add chain ip kube-proxy ${chains[i]}\nadd rule ip kube-proxy ${chains[i]} ip saddr ${ip} jump mark-for-masquerade\n` +
      `add rule ip kube-proxy ${chains[i]} meta l4proto tcp dnat to ${ip}:8080\n`,
  );
  const choices = chains.map((chain, i) => `${i} : goto ${chain}`).join(', ');
  return (
    `${lines.join('')}add chain ip kube-proxy ${name}\nflush chain ip kube-proxy ${name}\n` +
    `add rule ip kube-proxy ${name} ip daddr ${clusterIp(n)} tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade\n` +
    `add rule ip kube-proxy ${name} numgen random mod ${ips.length} vmap { ${choices} }\n`
  );
}

/** Table `kube-proxy` as kube-proxy 1.33 makes it, for `nft -f`. */
export function peerTable(options: Pick<BenchOptions, 'services' | 'endpoints'>): string {
  const parts = [
    `table ip kube-proxy {
  set cluster-ips { type ipv4_addr; }
  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
  chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
  chain masquerading { meta mark and 0x4000 == 0 return; meta mark set meta mark xor 0x4000; masquerade fully-random; }
  chain nat-prerouting { type nat hook prerouting priority -100; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority 100; jump masquerading; }
}\n`,
  ];
  for (let n = 0; n < options.services; n++) {
    parts.push(peerService(n, ipsOf(n, options)));
    parts.push(`add element ip kube-proxy cluster-ips { ${clusterIp(n)} }\n`);
    parts.push(`add element ip kube-proxy service-ips { ${clusterIp(n)} . tcp . 80 : goto service-HASH${n}-bench/s${n}/tcp/ }\n`);
  }
  return parts.join('');
}

const wideEndpoints = 5000;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function benchOurs(namespace: string, options: BenchOptions): Promise<[load: number, change: number, restart: number]> {
  const nft = inNetns(`/run/netns/${namespace}`, () => new KernelNftables());
  let watch: { close(): void } | undefined;
  try {
    const objects = Array.from({ length: options.services }, (_, n) => [benchService(n), benchSlice(n, ipsOf(n, options))] as const);
    const fill = async (): Promise<FamilyProxy> => {
      const table = await FamilyProxy.open(new NftablesMode(nft), benchNode);
      for (const [s, endpoints] of objects) table.put(`bench/${s.metadata.name}`, s, [endpoints]);
      table.settle();
      await table.sync();
      return table;
    };
    let table: FamilyProxy | undefined;
    const load = await timed(async () => {
      table = await fill();
    });
    // As the proxy does, once its first rules are there: the kernel then tells of every element.
    watch = nft.watch('kube-proxy', () => {});
    const changes: number[] = [];
    for (let i = 1; i <= options.changes; i++) {
      changes.push(
        await timed(async () => {
          table?.put('bench/s7', benchService(7), [benchSlice(7, ipsOf(7, options, 50_000 + i))]);
          table?.settle();
          await table?.sync();
        }),
      );
    }
    const restart = await timed(fill);
    return [load, median(changes), restart];
  } finally {
    watch?.close();
    nft.close();
  }
}

/** One endpoint among very many of one Service, planned, rendered and applied. */
async function benchWide(namespace: string, endpoints: number, repeat: number): Promise<number> {
  const nft = inNetns(`/run/netns/${namespace}`, () => new KernelNftables());
  try {
    const perSlice = 100;
    const slices = Array.from({ length: Math.ceil(endpoints / perSlice) }, (_, i) => benchSlice(i, ipsOf(i, { endpoints: perSlice })));
    const table = await FamilyProxy.open(new NftablesMode(nft), benchNode);
    table.put('bench/s0', benchService(0), slices);
    table.settle();
    await table.sync();
    const changes: number[] = [];
    for (let i = 1; i <= repeat; i++) {
      changes.push(
        await timed(async () => {
          slices[7] = benchSlice(7, ipsOf(7, { endpoints: perSlice }, 1_000_000 + i));
          table.put('bench/s0', benchService(0), slices);
          table.settle();
          await table.sync();
        }),
      );
    }
    return median(changes);
  } finally {
    nft.close();
  }
}

async function benchPeer(namespace: string, options: BenchOptions): Promise<[load: number, change: number]> {
  const nft = (input: string): Promise<string> => mustRun(systemExec, 'ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], { input });
  const text = peerTable(options);
  const load = await timed(() => nft(text));
  const changes: number[] = [];
  for (let i = 1; i <= options.changes; i++) changes.push(await timed(() => nft(peerService(7, ipsOf(7, options, 50_000 + i)))));
  return [load, median(changes)];
}

/** Runs the comparison. Needs root; makes and removes its own namespaces. */
async function benchProxy(options: BenchOptions): Promise<BenchResult[]> {
  const namespaces = [`fl-bench-${process.pid}-a`, `fl-bench-${process.pid}-b`, `fl-bench-${process.pid}-c`] as const;
  try {
    for (const namespace of namespaces) await mustRun(systemExec, 'ip', ['netns', 'add', namespace]);
    const [load, change, restart] = await benchOurs(namespaces[0], options);
    const wide = await benchWide(namespaces[2], wideEndpoints, options.changes);
    const [peerLoad, peerChange] = await benchPeer(namespaces[1], options);
    const row = (what: string, oursMs: number, peerMs: number): BenchResult => ({ what, oursMs, peerMs, ratio: peerMs / oursMs });
    const size = `${options.services} Services with ${options.endpoints} endpoints`;
    return [
      row(`load ${size}`, load, peerLoad),
      row(`change one endpoint among ${size}`, change, peerChange),
      row(`change one endpoint of a Service with ${wideEndpoints}`, wide, peerChange),
      row(`start again over ${size}, nothing changed`, restart, peerLoad),
    ];
  } finally {
    for (const namespace of namespaces) await systemExec.run('ip', ['netns', 'del', namespace]);
  }
}

if (import.meta.main) {
  const [services = '5000', endpoints = '2', changes = '15'] = process.argv.slice(2);
  for (const { what, oursMs, peerMs, ratio } of await benchProxy({
    services: Number(services),
    endpoints: Number(endpoints),
    changes: Number(changes),
  }))
    process.stdout.write(
      `${what}: ${oursMs.toFixed(1)} ms, nft with kube-proxy's layout ${peerMs.toFixed(1)} ms, ${ratio.toFixed(1)} times faster\n`,
    );
}
