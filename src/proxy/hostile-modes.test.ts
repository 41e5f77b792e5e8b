/**
 * Random hostile Services and EndpointSlices in every mode, over kernels in memory: whatever users write, everybody else is served. FUZZ_SEED=N
 * repeats a run, FUZZ_STEPS=N makes it longer. What a real kernel says to it: `hostile.test.ts`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import { joinHostPort } from '../ip/ip.ts';
import { FakeIptables } from '../linux/iptables/testing/fake-iptables.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { FamilyProxy } from './family.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import { IpvsMode } from './mode/ipvs/ipvs-mode.ts';
import { FakeIpvsKernel } from './mode/ipvs/testing/fake-kernel.ts';
import type { Mode } from './mode/mode.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import { FakeRelayHost } from './mode/userspace/testing/fake-relay-host.ts';
import { UserspaceMode } from './mode/userspace/userspace-mode.ts';
import type { NodeContext } from './plan/node-context.ts';
import { frontendName, type PortPlan, type ServicePlan } from './plan/service-plan.ts';
import { contexts, Hostile, reserved } from './testing/hostile.ts';

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 32);
const steps = Number(process.env.FUZZ_STEPS ?? 60);

/** Each over an empty kernel, with what that kernel holds as text. */
const benches: Readonly<Record<string, () => { readonly mode: Mode; readonly dump: () => string }>> = {
  nftables() {
    const nft = new FakeNftables();
    return { mode: new NftablesMode(nft), dump: () => ['ip', 'ip6'].map((family) => nft.dump(family as 'ip', 'kube-proxy')).join('\n') };
  },
  iptables() {
    const iptables = new FakeIptables();
    const settings = { read: () => '0', set: () => {} };
    return { mode: new IptablesMode({ iptables, settings }), dump: () => iptables.dump('ip') + iptables.dump('ip6') };
  },
  ipvs() {
    const kernel = new FakeIpvsKernel();
    return { mode: new IpvsMode(kernel), dump: () => kernel.dump() };
  },
  userspace() {
    const host = new FakeRelayHost();
    return { mode: new UserspaceMode(host), dump: () => host.dump() };
  },
};

/** The Service that is served whatever happens: older than the others, and allocated what it has. */
const good = {
  ip: { ip: '10.96.200.1', endpoint: '10.244.200.1', written: ['198.51.100.200'], balanced: '198.51.100.201' },
  ip6: { ip: 'fd00:96::200', endpoint: 'fd00:244::200', written: ['fd00:c6::200'], balanced: 'fd00:c6::201' },
} as const;

function service(name: string, ip: string, spec: Partial<NonNullable<Service['spec']>> = {}): Service {
  const ports = [{ name: '', port: 80, protocol: 'TCP' }];
  const metadata = { name, namespace: 'fuzz', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { type: 'ClusterIP', clusterIP: ip, clusterIPs: [ip], ports, ...spec } };
}

function slice(name: string, addressType: 'IPv4' | 'IPv6', ips: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'fuzz', labels: { 'kubernetes.io/service-name': name } },
    addressType,
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  };
}

function goodService(family: 'ip' | 'ip6'): Service {
  const { ip, written, balanced } = good[family];
  const one = service('good', ip, {
    type: 'LoadBalancer',
    externalIPs: [...written],
    ports: [{ name: '', port: 80, protocol: 'TCP', nodePort: 30_080 }],
  });
  const metadata = { ...one.metadata, creationTimestamp: '2025-01-01T00:00:00Z' };
  return { ...one, metadata, status: { loadBalancer: { ingress: [{ ip: balanced }] } } };
}

/** Lines about the good Service, in the tongue of whatever tool; elements of a set alone. */
function linesOf(family: 'ip' | 'ip6', held: string): string[] {
  const { ip, endpoint, written, balanced } = good[family];
  const places = [ip, ...written, balanced].flatMap((one) => [`${one} . tcp . 80 `, `-t ${joinHostPort(one, 80)} `, `${one},tcp:80`]);
  const marks = ['fuzz/good', `${endpoint} `, joinHostPort(endpoint, 8080), ...places];
  const lines = held.split('\n').map((line) => ` ${line.replaceAll(/^\s*(?:elements = \{ )?|(?:,| \})$/g, '')} `);
  return lines.filter((line) => marks.some((mark) => line.includes(` ${mark}`) || line.includes(`"${mark}`))).sort();
}

/** Every address, protocol and port at which a Service is, node ports at each address that serves them. */
function placesOf(plan: ServicePlan, { nodePortIps }: NodeContext): Set<string> {
  const everywhere = nodePortIps === 'all' ? [...reserved.hostIps] : nodePortIps;
  const placesIn = (port: PortPlan): string[] =>
    port.frontends.flatMap((f) => (f.ip === undefined ? everywhere : [f.ip]).map((ip) => frontendName({ ip, port: f.port }, port)));
  return new Set(plan.ports.flatMap(placesIn));
}

function assertNoneMeet({ planner }: FamilyProxy, at: string): void {
  const holders = new Map<string, string>();
  for (const plan of planner.plans.values())
    for (const place of placesOf(plan, planner.node)) {
      assert.equal(holders.get(place), undefined, `${at}: ${place} is of ${plan.key}, too`);
      holders.set(place, plan.key);
    }
}

/** The proxy of a family whose one good Service is there. */
async function opened(mode: Mode, family: 'ip' | 'ip6'): Promise<FamilyProxy> {
  await mode.probe();
  const proxy = await FamilyProxy.open(mode, contexts[family]);
  proxy.planner.reserve(reserved);
  proxy.put('fuzz/good', goodService(family), [slice('good', family === 'ip' ? 'IPv4' : 'IPv6', [good[family].endpoint])]);
  proxy.settle();
  await proxy.sync();
  return proxy;
}

/** Objects that the API server takes, or took once. */
const extremes: readonly (readonly [what: string, service: Service, slices: readonly EndpointSlice[]])[] = [
  [
    'bad addresses',
    service('bad', '10.96.0.999', { externalIPs: ['1.2.3', 'example.com', ''] }),
    [slice('bad', 'IPv4', ['10.0.0.300', 'x', ''])],
  ],
  [
    'v4-mapped endpoints',
    service('mapped', '10.96.0.2'),
    [slice('mapped', 'IPv6', ['::ffff:10.0.0.7']), slice('mapped', 'IPv4', ['::ffff:10.0.0.7'])],
  ],
  [
    'a port twice',
    service('twice', '10.96.0.3', { ports: [80, 80].map((port) => ({ name: '', port, protocol: 'TCP' })) }),
    [slice('twice', 'IPv4', ['10.244.0.2'])],
  ],
  [
    '60,000 endpoints',
    service('many', '10.96.0.4'),
    [
      slice(
        'many',
        'IPv4',
        Array.from({ length: 60_000 }, (_, i) => `10.245.${i >> 8}.${i & 255}`),
      ),
    ],
  ],
  ['a name at the length limit', service('n'.repeat(63), '10.96.0.5'), [slice('n'.repeat(63), 'IPv4', ['10.244.0.2'])]],
  [
    'source ranges by the thousand',
    {
      ...service('ranges', '10.96.0.6', {
        type: 'LoadBalancer',
        loadBalancerSourceRanges: Array.from({ length: 5000 }, (_, i) => `172.16.${i >> 8}.${i & 255}/32`),
      }),
      status: { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } },
    },
    [slice('ranges', 'IPv4', ['10.244.0.2'])],
  ],
];

for (const [name, bench] of Object.entries(benches))
  describe(`mode ${name}`, () => {
    for (const family of ['ip', 'ip6'] as const) {
      test(`serves a Service as if it were alone, and comes to the same by changes, whatever users write (${family}, FUZZ_SEED=${seed})`, async () => {
        const { ip, written, balanced } = good[family];
        const random = new Hostile(seed, [ip, ...written, balanced]);
        const { mode, dump } = bench();
        const proxy = await opened(mode, family);
        const alone = { plan: proxy.planner.plans.get('fuzz/good'), lines: linesOf(family, dump()) };
        const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
        for (let step = 0; step < steps; step++) {
          const at = `step ${step} of FUZZ_SEED=${seed}`;
          for (let i = random.below(4); i >= 0; i--) {
            const one = random.one(names);
            const gone = random.below(4) === 0;
            proxy.put(`fuzz/${one}`, gone ? undefined : random.service(one), [random.slice(one, 0), random.slice(one, 1)]);
          }
          proxy.settle();
          await proxy.sync().catch((err: unknown) => assert.fail(`${at}: ${String(err)}`));
          assert.deepEqual(proxy.planner.plans.get('fuzz/good'), alone.plan, at);
          assertNoneMeet(proxy, at);
          assert.deepEqual(linesOf(family, dump()), alone.lines, at);
          proxy.distrust();
          assert.deepEqual(await proxy.sync(), { full: true, steps: 0 }, at);
        }
        mode.close();
      });
    }

    for (const [what, hostile, slices] of extremes)
      test(`serves others beside ${what}`, async () => {
        const { mode, dump } = bench();
        const proxy = await opened(mode, 'ip');
        proxy.put(`fuzz/${hostile.metadata.name}`, hostile, slices);
        proxy.put('fuzz/later', service('later', '10.96.200.2'), [slice('later', 'IPv4', ['10.244.200.2'])]);
        proxy.settle();
        await proxy.sync();
        const held = dump();
        for (const part of [good.ip.ip, good.ip.endpoint, '10.96.200.2', '10.244.200.2']) assert.ok(held.includes(part), part);
        mode.close();
      });
  });
