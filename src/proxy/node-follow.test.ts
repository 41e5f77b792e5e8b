/** The proxy follows what its node and the cluster's ranges become. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import type { ProxyOptions } from './options.ts';
import { FakeNodeHost } from './testing/fake-node-host.ts';
import { HandmadeCluster } from './testing/handmade-cluster.ts';
import { elements, freePort, start, stopAll } from './testing/running-proxy.ts';

describe('a proxy and its node', () => {
  afterEach(stopAll);

  /** Options of a proxy that knows of its node what the Node says. */
  const asTheNodeSays = { nodeIps: undefined, clusterCidrs: [] } as unknown as Partial<ProxyOptions>;

  function putNode(cluster: HandmadeCluster, ips: readonly string[], podCIDRs: string[] = []): void {
    const addresses = ips.map((address) => ({ type: 'InternalIP', address }));
    cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, spec: { podCIDRs }, status: { addresses } });
  }

  const sixes: [what: string, ips: string[], podCIDRs: string[]][] = [
    ['an address', ['192.168.120.11', 'fd00::11'], []],
    ['a pod range', ['192.168.120.11'], ['10.244.1.0/24', 'fd00:10:244:1::/64']],
  ];
  for (const [what, ips, podCIDRs] of sixes)
    test(`serves IPv6 as soon as the Node has ${what} of that family, whatever the flags say`, async () => {
      const cluster = new HandmadeCluster();
      const nft = new FakeNftables();
      putNode(cluster, ['192.168.120.11'], ['10.244.1.0/24']);
      cluster.service('web', '10.96.0.100', { clusterIPs: ['10.96.0.100', 'fd00:10:96::100'] });
      await start(cluster, nft, asTheNodeSays);
      assert.equal(nft.table('ip6', 'kube-proxy'), undefined);
      putNode(cluster, ips, podCIDRs);
      await eventually(() => nft.table('ip6', 'kube-proxy')?.elements.get('cluster-ips')?.has('fd00:10:96::100') === true);
    });

  test('answers health checks and counts for a Service of IPv6 alone', async () => {
    const cluster = new HandmadeCluster();
    putNode(cluster, ['192.168.120.11', 'fd00::11']);
    const port = await freePort();
    const local = { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local', ports: [{ port: 80 }] };
    cluster.service('web', 'fd00:10:96::100', { type: 'LoadBalancer', healthCheckNodePort: port, ...local });
    cluster.services.put({ ...cluster.services.list()[0]!, status: { loadBalancer: { ingress: [{ ip: '2001:db8::1' }] } } });
    cluster.endpoints('web', ['fd00:10:244::2'], 'TCP', 'node2');
    const proxy = await start(cluster, new FakeNftables(), {
      ...asTheNodeSays,
      nodePortAddresses: ['127.0.0.0/8', 'fd00::/8'],
      metricsAddress: '127.0.0.1:0',
    });
    const check = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      return `${answer.status} ${answer.headers.get('x-load-balancing-endpoint-weight')}`;
    };
    const metric = async (policy: string): Promise<string | undefined> => {
      const text = await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text();
      return new RegExp(`no_local_endpoints_total\\{ip_family="IPv6",traffic_policy="${policy}"\\} (\\d)`).exec(text)?.[1];
    };
    await eventually(async () => (await check().catch(() => '')) === '503 0');
    assert.deepEqual([await metric('internal'), await metric('external')], ['1', '1']);
    cluster.endpoints('web', ['fd00:10:244::2'], 'TCP', 'node1');
    await eventually(async () => (await check()) === '200 1');
    assert.deepEqual([await metric('internal'), await metric('external')], ['0', '0']);
  });

  test('follows ServiceCIDRs, so that no address of theirs leaks to the world', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const put = (name: string, cidrs: string[]): void =>
      cluster.serviceCidrs.put({ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name }, spec: { cidrs } });
    put('kubernetes', ['10.96.0.0/16', 'fd00:10:96::/112']);
    await start(cluster, nft);
    const refused = (family: 'ip' | 'ip6'): string[] =>
      (nft.table(family, 'kube-proxy')?.chains.find((chain) => chain.name === 'unserved')?.rules ?? []).flatMap(
        (rule) => /daddr (\S+\/\d+) goto refuse/.exec(rule)?.[1] ?? [],
      );
    assert.deepEqual([refused('ip'), refused('ip6')], [['10.96.0.0/16'], ['fd00:10:96::/112']]);
    put('more', ['10.97.0.0/24']);
    await eventually(() => refused('ip').length === 2);
    assert.deepEqual(refused('ip'), ['10.96.0.0/16', '10.97.0.0/24']);
    cluster.serviceCidrs.remove('more');
    await eventually(() => refused('ip').length === 1);
  });

  test('starts when nobody answers what ServiceCIDRs there are', async () => {
    const cluster = new HandmadeCluster();
    Object.assign(cluster.serviceCidrs, { synced: new Promise(() => {}) });
    const clock = new FakeClock();
    const started = start(cluster, new FakeNftables(), { clock });
    let isOver = false;
    void started.then(() => (isOver = true));
    await eventually(async () => {
      await clock.advance(1000);
      return isOver;
    });
  });

  test('serves node ports on an address as soon as a link has it', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const host = new FakeNodeHost(['127.0.0.1']);
    await start(cluster, nft, { host, nodePortAddresses: ['192.168.120.0/24'], syncPeriodMs: 3_600_000 });
    assert.deepEqual(elements(nft, 'nodeport-ips'), {});
    host.setAddresses(['127.0.0.1', '192.168.120.11']);
    await eventually(() => '192.168.120.11' in elements(nft, 'nodeport-ips'));
    host.setAddresses(['127.0.0.1']);
    await eventually(() => !('192.168.120.11' in elements(nft, 'nodeport-ips')));
  });

  test('writes no rule because its own address leaves its link for a moment', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const host = new FakeNodeHost(['127.0.0.1']);
    const port = await freePort();
    cluster.service('web', '10.96.0.100', { type: 'LoadBalancer', healthCheckNodePort: port, externalTrafficPolicy: 'Local' });
    cluster.endpoints('web', ['10.244.1.2'], 'TCP', 'node1');
    const proxy = await start(cluster, nft, { host, nodeIps: ['127.0.0.1'], syncPeriodMs: 3_600_000, metricsAddress: '127.0.0.1:0' });
    const fullSyncs = async (): Promise<string | undefined> => {
      const text = await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text();
      return /sync_full_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} (\S+)/.exec(text)?.[1];
    };
    const isAnswering = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)) !== undefined;
    await eventually(isAnswering);
    const before = await fullSyncs();
    assert.ok(before !== undefined);
    host.setAddresses([]);
    await eventually(async () => !(await isAnswering()));
    host.setAddresses(['127.0.0.1']);
    await eventually(isAnswering);
    assert.equal(await fullSyncs(), before);
  });

  test('serves node ports on an address as soon as the Node has it', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    putNode(cluster, []);
    await start(cluster, nft, { ...asTheNodeSays, syncPeriodMs: 3_600_000 });
    assert.deepEqual(elements(nft, 'nodeport-ips'), {});
    putNode(cluster, ['192.168.120.11']);
    await eventually(() => '192.168.120.11' in elements(nft, 'nodeport-ips'));
  });

  test('does nothing for a heartbeat of a Node', async () => {
    const cluster = new HandmadeCluster();
    putNode(cluster, ['192.168.120.11']);
    const looks: number[] = [];
    const host = new FakeNodeHost();
    host.addresses = async () => {
      looks.push(1);
      return [];
    };
    const proxy = await start(cluster, new FakeNftables(), {
      ...asTheNodeSays,
      host,
      syncPeriodMs: 3_600_000,
      metricsAddress: '127.0.0.1:0',
    });
    const queued = async (): Promise<string | undefined> => {
      const text = await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text();
      return /last_queued_timestamp_seconds (\S+)/.exec(text)?.[1];
    };
    const before = await queued();
    const [node] = cluster.nodes.list();
    cluster.nodes.put({ ...node!, status: { ...node!.status, conditions: [{ type: 'Ready', status: 'True' }] } });
    assert.equal(await queued(), before);
    assert.equal(looks.length, 1);
  });
});
