/** What every backend keeps, for its own tests: `backendConformance(backends.x, …)`. Whether packets arrive is tested in network namespaces. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../../../api/schema/types.ts';
import { type Family, mustCidr, nthIp } from '../../../ip/ip.ts';
import { encodeBatch } from '../../../linux/nftables/batch.ts';
import { annotationsOf, type SubnetLease } from '../../lease/lease.ts';
import { readPeers } from '../../lease/peers.ts';
import { diff } from '../../plan/diff.ts';
import type { DesiredNetwork, Underlay } from '../../plan/network.ts';
import { bridgeName, plan } from '../../plan/plan.ts';
import { planRules } from '../../plan/rules.ts';
import { FakeNetworkKernel } from '../../testing/fake-network-kernel.ts';
import type { Backend, BackendConfig } from '../backend.ts';

/** Two address plans, one per family. */
const plans = {
  4: {
    network: '10.244.0.0/16',
    pods: (n: number): string => `10.244.${n}.0/24`,
    ip: (n: number): string => `192.168.120.${n}`,
    prefix: 24,
  },
  6: {
    network: 'fd00:244::/32',
    pods: (n: number): string => `fd00:244:${n}::/64`,
    ip: (n: number): string => `2001:db8::${n}`,
    prefix: 64,
  },
} as const;

const mtu = 1500;

/** A cluster of nodes with one backend, as node 1 sees it. */
class NetCluster {
  readonly #backend: Backend;
  readonly #family: Family;
  readonly kernel = new FakeNetworkKernel();
  readonly underlay: Underlay;

  constructor(backend: Backend, family: Family) {
    this.#backend = backend;
    this.#family = family;
    const { ip, prefix } = plans[family];
    this.underlay = { name: 'eth0', mtu, ip: ip(1), prefix };
    this.kernel.state.links.push({ name: 'eth0', mac: '02:00:00:00:01:01', mtu, up: true, kind: { kind: 'other' } });
  }

  lease(n: number, told?: unknown): SubnetLease {
    const { pods, ip } = plans[this.#family];
    const data = this.#backend.leaseData({
      family: this.#family,
      told,
      links: [],
      publicIp: ip(n),
      underlay: { ...this.underlay, ip: ip(n) },
      randomMac: () => `02:00:00:00:00:0${n}`,
    });
    return { node: `node${n}`, podCidr: pods(n), publicIp: ip(n), type: this.#backend.type, data, since: '' };
  }

  /** What the other nodes are after their leases went through the API server. */
  peers(...leases: readonly SubnetLease[]): ReturnType<typeof readPeers> {
    const nodes = leases.map((l): Node => {
      const metadata = { name: l.node, annotations: annotationsOf(l) };
      return { apiVersion: 'v1', kind: 'Node', metadata, spec: { podCIDR: l.podCidr } };
    });
    const own = { lease: this.lease(1), ips: [this.underlay.ip], underlay: this.underlay };
    return readPeers(nodes, mustCidr(plans[this.#family].network), this.#backend, own);
  }

  plan(...others: readonly number[]): DesiredNetwork {
    const { peers } = this.peers(...others.map((n) => this.lease(n)));
    assert.equal(peers.length, others.length);
    return plan(this.#backend, { own: this.lease(1), peers, underlay: this.underlay });
  }

  /** How many steps it took. A second look must find nothing. */
  async settle(desired: DesiredNetwork): Promise<number> {
    const steps = diff(desired, await this.kernel.read());
    await this.kernel.take(steps);
    assert.deepEqual(diff(desired, await this.kernel.read()), []);
    return steps.length;
  }
}

export function backendConformance(open: (config: BackendConfig) => Backend, config: BackendConfig): void {
  for (const family of [4, 6] as const)
    describe(`backend ${config.Type}, IPv${family}`, () => {
      const start = (): NetCluster => new NetCluster(open(config), family);

      test('bears the name by which it is chosen', () => assert.equal(open(config).type, config.Type));

      test('tells data that other nodes read, through the text of an annotation', () => {
        const cluster = start();
        const { peers, refused } = cluster.peers(cluster.lease(2), cluster.lease(3));
        assert.deepEqual([...refused], []);
        assert.deepEqual(
          peers.map((p) => [p.node, p.data]),
          [2, 3].map((n) => [`node${n}`, cluster.lease(n).data]),
        );
      });

      test('tells the same again after what it told before', () => {
        const cluster = start();
        assert.deepEqual(cluster.lease(3, cluster.lease(2).data).data, cluster.lease(2).data);
      });

      test('reaches nodes of another backend by plain routes on the same link, and leaves out others', () => {
        const cluster = start();
        const [near, far] = [2, 3].map((n) => ({ ...cluster.lease(n), type: 'x', data: null }));
        const { peers, foreign, refused } = cluster.peers(near!, { ...far!, publicIp: family === 4 ? '192.0.2.3' : 'fd00::3' });
        assert.deepEqual([peers, foreign.map(({ node }) => node)], [[], ['node2']]);
        assert.match(refused.get('node3') ?? '', /its backend is "x"/);
        const { routes } = plan(open(config), { own: cluster.lease(1), peers, underlay: cluster.underlay }, foreign);
        assert.deepEqual(routes, [{ dst: near!.podCidr, link: 'eth0', gateway: near!.publicIp, onlink: false }]);
      });

      test('has one route to the range of each other node, over a link that is there', () => {
        const cluster = start();
        const { routes, links } = cluster.plan(2, 3);
        assert.deepEqual(
          routes.map((r) => r.dst),
          [2, 3].map((n) => mustCidr(plans[family].pods(n)).text),
        );
        const there = new Set([cluster.underlay.name, ...links.map((l) => l.name)]);
        for (const route of routes) assert.ok(there.has(route.link), route.link);
      });

      test('gives the bridge an MTU that the underlay carries, and that of its own links', () => {
        const { links } = start().plan(2);
        const bridge = links.find((l) => l.name === bridgeName);
        assert.ok(bridge && bridge.mtu <= mtu && links.every((l) => l.mtu === bridge.mtu));
        assert.equal(bridge.address.ip, nthIp(mustCidr(plans[family].pods(1)), 1));
        assert.equal(open({ ...config, MTU: 1300 }).type, config.Type);
        const smaller = new NetCluster(open({ ...config, MTU: 1300 }), family).plan(2);
        assert.ok(smaller.links.every((l) => l.mtu === 1300));
      });

      test('settles, follows nodes that come and go, and leaves nothing of them', async () => {
        const cluster = start();
        assert.ok((await cluster.settle(cluster.plan(2))) > 0);
        const before = await cluster.kernel.read();
        assert.ok((await cluster.settle(cluster.plan(2, 3))) > 0);
        await cluster.settle(cluster.plan(2));
        assert.deepEqual(await cluster.kernel.read(), before);
      });

      test('takes down what is stale: a route of ours to a node that is gone', async () => {
        const cluster = start();
        const desired = cluster.plan(2, 3);
        await cluster.settle(desired);
        await cluster.settle({ ...desired, routes: [], neighbours: [] });
        assert.deepEqual((await cluster.kernel.read()).routes, []);
      });

      test('needs chains that the kernel takes', () => {
        const { chains } = start().plan(2);
        const table = planRules({ network: mustCidr(plans[family].network), podCidr: plans[family].pods(1), masquerade: true, chains });
        const ops = table.chains.flatMap((chain) => [
          { op: 'add-chain', chain } as const,
          ...chain.rules.map((rule) => ({ op: 'add-rule', chain: chain.name, rule }) as const),
        ]);
        assert.ok(encodeBatch({ family: table.family, table: table.name, ops }, 1).bytes.length > 0);
      });

      test('plans the same from the same', () => assert.deepEqual(start().plan(2, 3), start().plan(2, 3)));
    });
}
