import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, test } from 'node:test';
import type { Event, Service } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { KnownError } from '../errors/known-error.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { silentLog } from '../observability/log.ts';
import type { Flow, Flows } from './flow-clean-up.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import { FakeRelayHost } from './mode/userspace/testing/fake-relay-host.ts';
import { UserspaceMode } from './mode/userspace/userspace-mode.ts';
import type { ProxyOptions } from './options.ts';
import { FakeNodeHost } from './testing/fake-node-host.ts';
import { HandmadeCluster } from './testing/handmade-cluster.ts';
import { noFlows } from './testing/no-flows.ts';
import { elements, start, stopAll } from './testing/running-proxy.ts';

/** The steps of each transaction since one, with the names of sets. Start-up tries in a table of its own what the kernel can. */
function touchedSince(nft: FakeNftables, transaction: number): string[][] {
  const ops = nft.transactions.slice(transaction).flatMap((t) => (t.table === 'kube-proxy' ? [t.ops] : []));
  return ops.map((list) => list.map((o) => ('set' in o && typeof o.set !== 'string' ? `${o.op} ${o.set.name}` : o.op)));
}

/** Of both families, where the machine has both. */
const metricsHost = JSON.stringify(networkInterfaces()).includes('"::1"') ? '[::1]' : '127.0.0.1';

describe('startProxy()', () => {
  afterEach(stopAll);

  test('writes the rules of what is there when it starts', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    cluster.service('small', '10.96.0.101');
    cluster.endpoints('small', ['10.244.2.2', '10.244.2.3']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    assert.deepEqual(elements(nft, 'services'), { '10.96.0.100 . tcp . 80': 'goto lb-3' });
    assert.deepEqual(elements(nft, 'endpoints'), {
      '10.96.0.100 . tcp . 80 . 0': '10.244.2.2 . 8080',
      '10.96.0.100 . tcp . 80 . 1': '10.244.2.3 . 8080',
      '10.96.0.100 . tcp . 80 . 2': '10.244.2.4 . 8080',
      '10.96.0.101 . tcp . 80 . 131072': '10.244.2.2 . 8080',
      '10.96.0.101 . tcp . 80 . 131073': '10.244.2.3 . 8080',
    });
  });

  test('lets the kernel tell of changes once its first rules are there, since it would tell of each of them', async () => {
    const nft = new FakeNftables();
    const loaded: boolean[] = [];
    const watch = nft.watch.bind(nft);
    nft.watch = (...args) => {
      loaded.push(nft.table('ip', 'kube-proxy') !== undefined);
      return watch(...args);
    };
    await start(new HandmadeCluster(), nft);
    assert.deepEqual(loaded, [true]);
  });

  test('replaces an endpoint with two messages in one transaction', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const { messagesSent, transactions } = nft;
    const before = transactions.length;
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.9', '10.244.2.4']);
    await eventually(() => Object.values(elements(nft, 'endpoints')).includes('10.244.2.9 . 8080'));
    assert.equal(nft.messagesSent - messagesSent, 2);
    assert.equal(nft.transactions.length - before, 1);
  });

  test('makes a chain before anything leads to it, and takes chain and slots away after that, for packets that are on their way', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4', '10.244.2.5']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const before = nft.transactions.length;
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    await eventually(() => Object.keys(elements(nft, 'endpoints')).length === 3);
    assert.deepEqual(touchedSince(nft, before), [
      ['add-chain'],
      ['delete-elements services', 'add-elements services'],
      ['delete-elements endpoints', 'delete-chain'],
    ]);
  });

  test('leads few endpoints by their slots alone, which come before an element that led to many goes, and go after one comes', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const before = nft.transactions.length;
    cluster.endpoints('web', ['10.244.2.2']);
    await eventually(() => Object.keys(elements(nft, 'endpoints')).length === 2);
    assert.deepEqual(touchedSince(nft, before), [
      ['delete-elements services', 'add-elements endpoints'],
      ['delete-elements endpoints', 'delete-chain'],
    ]);
    const since = nft.transactions.length;
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    await eventually(() => Object.keys(elements(nft, 'endpoints')).length === 3);
    assert.deepEqual(touchedSince(nft, since), [
      ['add-chain'],
      ['add-elements services', 'add-elements endpoints'],
      ['delete-elements endpoints'],
    ]);
  });

  test('adds an endpoint with at most six messages, however many Services there are', async () => {
    const cluster = new HandmadeCluster();
    for (let i = 0; i < 200; i++) {
      cluster.service(`s${i}`, `10.96.1.${i}`);
      cluster.endpoints(`s${i}`, ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    }
    const nft = new FakeNftables();
    await start(cluster, nft);
    const { messagesSent } = nft;
    cluster.endpoints('s7', ['10.244.2.2', '10.244.2.3', '10.244.2.4', '10.244.2.5']);
    await eventually(() => elements(nft, 'services')['10.96.1.7 . tcp . 80'] === 'goto lb-4');
    // A chain and its rule, the verdict out and in, the endpoint.
    assert.ok(nft.messagesSent - messagesSent <= 6, `${nft.messagesSent - messagesSent} messages`);
  });

  test('finds nothing to do when it starts again, whatever slots endpoints had', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    const nft = new FakeNftables();
    await (await start(cluster, nft)).close();
    const again = await start(cluster, nft);
    cluster.endpoints('web', ['10.244.2.3', '10.244.2.4', '10.244.2.1']);
    await eventually(() => Object.values(elements(nft, 'endpoints')).includes('10.244.2.1 . 8080'));
    await again.close();
    const before = nft.transactions.length;
    await start(cluster, nft);
    assert.deepEqual(touchedSince(nft, before), []);
  });

  test('reads the table once when it starts again, and anew only when somebody changed rules meanwhile', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2']);
    const nft = new FakeNftables();
    await (await start(cluster, nft)).close();
    let reads = 0;
    const read = nft.read.bind(nft);
    nft.read = async (...which) => {
      reads++;
      return await read(...which);
    };
    await (await start(cluster, nft)).close();
    assert.equal(reads, 1);
    const other = { family: 'ip', table: 'kube-proxy', ops: [{ op: 'flush-chain', chain: 'services' }] } as const;
    nft.read = async (...which) => {
      const found = await read(...which);
      if (++reads === 2) await nft.commit(other);
      return found;
    };
    const before = nft.dump('ip', 'kube-proxy');
    await start(cluster, nft);
    assert.equal(reads, 3);
    assert.equal(nft.dump('ip', 'kube-proxy'), before);
  });

  test('makes chains before and takes slots after what leads to them when it starts over rules of the past, too', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4', '10.244.2.5']);
    const nft = new FakeNftables();
    await (await start(cluster, nft)).close();
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3', '10.244.2.4']);
    const before = nft.transactions.length;
    await start(cluster, nft);
    assert.deepEqual(touchedSince(nft, before), [
      ['add-chain', 'add-rule'],
      ['delete-elements services', 'add-elements services'],
      ['delete-elements endpoints', 'flush-chain', 'delete-chain'],
    ]);
  });

  test('serves a change while it still takes away what other proxies left, and ends when that is done', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    const nft = new FakeNftables();
    const { promise: cleaned, resolve: finish } = Promise.withResolvers<boolean>();
    let calls = 0;
    const cleanOthers = (): Promise<boolean> => {
      calls++;
      return cleaned;
    };
    const proxy = await start(cluster, nft, { cleanOthers });
    cluster.endpoints('web', ['10.244.2.2']);
    await eventually(() => elements(nft, 'endpoints')['10.96.0.100 . tcp . 80 . 131072'] === '10.244.2.2 . 8080');
    assert.equal(calls, 1);
    let hasEnded = false;
    const ended = proxy.close().then(() => (hasEnded = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(hasEnded, false);
    finish(true);
    await ended;
  });

  test('removes a Service without a trace', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    await start(cluster, nft);
    const empty = nft.dump('ip', 'kube-proxy');
    cluster.service('web', '10.96.0.100', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }], sessionAffinity: 'ClientIP' });
    cluster.endpoints('web', ['10.244.2.2']);
    await eventually(() => Object.keys(elements(nft, 'nodeport-endpoints')).length === 1);
    cluster.services.remove('default/web');
    await eventually(() => nft.dump('ip', 'kube-proxy') === empty);
  });

  test('tries again with everything after the kernel refused', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    await start(cluster, nft);
    nft.failure = new KnownError('KERNEL_REFUSED', 'no');
    const { messagesSent } = nft;
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2']);
    await eventually(() => nft.messagesSent > messagesSent);
    nft.failure = undefined;
    await eventually(() => Object.values(elements(nft, 'endpoints')).includes('10.244.2.2 . 8080'));
  });

  test('tells of a failure that lasts, in its health, its metrics and an Event of the Node, and of its end', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const told: Event[] = [];
    const client = { create: async (_: unknown, event: Event) => void told.push(event), patch: async () => {} } as unknown as Client;
    cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
    const proxy = await start(cluster, nft, { client, syncPeriodMs: 50, healthzAddress: '127.0.0.1:0', metricsAddress: '127.0.0.1:0' });
    const health = async (): Promise<number> => (await fetch(`http://${proxy.healthzAddress}/healthz`)).status;
    assert.equal(await health(), 200);
    // Nothing changes in the cluster; somebody takes the rules away and they cannot be written again.
    nft.failure = undefined;
    await nft.commitByOther({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'delete-table' }] });
    nft.failure = new KnownError('KERNEL_REFUSED', 'Cannot change table "ip kube-proxy": no');
    await eventually(async () => (await health()) === 503);
    assert.equal(told[0]?.reason, 'ProxySyncFailed');
    assert.equal(told[0]?.involvedObject.kind, 'Node');
    assert.match(
      await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text(),
      /kubeproxy_sync_proxy_rules_nftables_sync_failures_total\{ip_family="IPv4"\} [1-9]/,
    );
    nft.failure = undefined;
    await eventually(async () => (await health()) === 200);
    assert.ok(nft.table('ip', 'kube-proxy'));
  });

  test('repairs a table that somebody deleted', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const before = nft.dump('ip', 'kube-proxy');
    await nft.commitByOther({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'delete-table' }] });
    await eventually(() => nft.dump('ip', 'kube-proxy') === before);
  });

  test('gives an address that two Services claim to the older one, and to the other when that goes', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    await start(cluster, nft);
    cluster.service('b', '10.96.0.2', { externalIPs: ['198.51.100.1'] });
    cluster.service('a', '10.96.0.1', { externalIPs: ['198.51.100.1'] });
    cluster.endpoints('a', ['10.244.2.2']);
    cluster.endpoints('b', ['10.244.2.3', '10.244.2.4']);
    await eventually(() => elements(nft, 'services')['198.51.100.1 . tcp . 80'] === 'goto lb-1');
    cluster.services.remove('default/a');
    await eventually(() => elements(nft, 'services')['198.51.100.1 . tcp . 80'] === 'goto lb-2');
  });

  test('gives a load balancer address to one of two Services as a whole, source ranges too, and tells the other', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const told: Event[] = [];
    const client = { create: async (_: unknown, event: Event) => void told.push(event) } as unknown as Client;
    await start(cluster, nft, { client });
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } };
    const put = (name: string, ip: string, ranges: string[]): void => {
      cluster.service(name, ip, { type: 'LoadBalancer', loadBalancerSourceRanges: ranges, sessionAffinity: 'ClientIP' });
      cluster.services.put({ ...(cluster.services.get(`default/${name}`) as Service), status });
    };
    put('a', '10.96.0.1', ['10.0.0.0/8']);
    put('b', '10.96.0.2', ['10.0.0.0/24', '203.0.113.0/24']);
    cluster.endpoints('a', ['10.244.2.2']);
    cluster.endpoints('b', ['10.244.2.3', '10.244.2.4']);
    await eventually(() => elements(nft, 'services')['198.51.100.1 . tcp . 80'] === 'goto lb-1');
    const rangesNow = (): string[] =>
      (nft.table('ip', 'kube-proxy')?.chains ?? []).flatMap(({ name, rules }) =>
        name.startsWith('sources-') ? rules.flatMap((rule) => /^ip saddr (\S+) return$/.exec(rule)?.[1] ?? []) : [],
      );
    assert.deepEqual(rangesNow(), ['10.0.0.0/8']);
    assert.equal(elements(nft, 'endpoints')['198.51.100.1 . tcp . 80 . 1'], undefined);
    await eventually(() => told.length === 1);
    assert.equal(told[0]?.involvedObject.name, 'b');
    assert.match(told[0]?.message ?? '', /"198\.51\.100\.1 \. tcp \. 80" for Service "default\/b": Service "default\/a" has it/);
    // Each remembers clients of its own, and what the first remembers goes with it.
    const memories = (): string[] =>
      (nft.table('ip', 'kube-proxy')?.sets ?? []).flatMap(({ name }) => (name.startsWith('affinity-of-') ? name : []));
    assert.deepEqual(memories(), ['affinity-of-default/a', 'affinity-of-default/b']);
    cluster.services.remove('default/a');
    await eventually(() => rangesNow().join() === '10.0.0.0/24,203.0.113.0/24');
    assert.deepEqual(memories(), ['affinity-of-default/b']);
    assert.deepEqual(elements(nft, 'recall-services'), {
      '10.96.0.2 . tcp . 80': 'jump recall-default/b',
      '198.51.100.1 . tcp . 80': 'jump recall-default/b',
    });
  });

  test('lets nobody take a cluster IP by naming it as an external address, however old', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    await start(cluster, nft);
    cluster.service('a', '10.96.0.1', { externalIPs: ['10.96.0.2'] });
    cluster.service('b', '10.96.0.2');
    cluster.endpoints('a', ['10.244.2.2', '10.244.2.3']);
    cluster.endpoints('b', ['10.244.2.4']);
    await eventually(() => elements(nft, 'endpoints')['10.96.0.2 . tcp . 80 . 131072'] === '10.244.2.4 . 8080');
    assert.deepEqual(elements(nft, 'masquerade-services'), {});
  });

  test('leaves alone what the cluster and this node serve themselves, tells the Service once, and serves it when that ends', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    const told: Event[] = [];
    const client = { create: async (_: unknown, event: Event) => void told.push(event), patch: async () => {} } as unknown as Client;
    const host = new FakeNodeHost();
    host.listening = [{ protocol: 'tcp', port: 22 }];
    await start(cluster, nft, { client, host, syncPeriodMs: 20 });
    const addresses = [{ type: 'InternalIP', address: '192.168.120.11' }];
    const daemonEndpoints = { kubeletEndpoint: { Port: 10_250 } };
    cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, status: { addresses, daemonEndpoints } });
    cluster.service('kubernetes', '10.96.0.1', { ports: [{ port: 443 }] });
    cluster.endpoints('kubernetes', ['192.168.120.10']);
    cluster.service('greedy', '10.96.0.2', {
      externalIPs: ['192.168.120.11', '192.168.120.10', '10.96.0.1'],
      ports: [22, 80, 8080, 10_250].map((port) => ({ name: `p${port}`, port })),
    });
    const held = (): string[] => Object.keys(elements(nft, 'no-endpoint-services')).sort();
    const free = ['192.168.120.10 . tcp . 10250', '192.168.120.10 . tcp . 22', '192.168.120.10 . tcp . 80', '192.168.120.11 . tcp . 80'];
    await eventually(() => held().length === 5);
    assert.deepEqual(held(), [...free, '192.168.120.11 . tcp . 8080'].sort());
    // Of the cluster IP 4, of the API server 1, of the kubelet 1, of what listens 1; each is told in turn, and all together at last.
    const isTold = (count: number): boolean =>
      told.at(-1)?.message?.startsWith(`Cannot serve ${count} frontends of Service "default/greedy": "`) === true;
    await eventually(() => isTold(7));
    assert.deepEqual(
      new Set(told.map((e) => `${e.type} ${e.reason} ${e.involvedObject.name}`)),
      new Set(['Warning FrontendReserved greedy']),
    );
    host.listening = [];
    await eventually(() => held().includes('192.168.120.11 . tcp . 22'));
    await eventually(() => isTold(6));
    host.listening = [{ protocol: 'tcp', port: 80, ip: '192.168.120.11' }];
    await eventually(() => !held().includes('192.168.120.11 . tcp . 80'));
    await eventually(() => isTold(7));
  });

  test('does not take sockets at which it serves Services itself for those of somebody else', async () => {
    const cluster = new HandmadeCluster();
    const [host, relays] = [new FakeNodeHost(), new FakeRelayHost()];
    cluster.service('web', '10.96.0.1', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
    cluster.endpoints('web', ['10.244.2.2']);
    await start(cluster, new FakeNftables(), { host, rules: new UserspaceMode(relays) });
    const nodePort = '192.168.120.11 . tcp . 30080';
    assert.ok(relays.listeners.has(nodePort));
    host.listening = [{ protocol: 'tcp', port: 30080, ip: '192.168.120.11' }];
    host.setAddresses(['127.0.0.1', '192.168.120.11', '192.168.120.12']);
    cluster.service('later', '10.96.0.2');
    await eventually(() => relays.addresses.has('10.96.0.2'));
    assert.ok(relays.listeners.has(nodePort));
  });

  test('warns of an algorithm of the cluster that its mode cannot do', async () => {
    const warned: string[] = [];
    const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
    await start(new HandmadeCluster(), new FakeNftables(), { algorithm: 'lblc', log });
    await start(new HandmadeCluster(), new FakeNftables(), { algorithm: 'wlc', log });
    assert.equal(warned.filter((message) => /Cannot spread connections by "lblc"/.test(message)).length, 1);
    assert.equal(warned.filter((message) => /Cannot spread/.test(message)).length, 1);
  });

  test('tells of an algorithm that there is not, once for both families', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.1', { clusterIPs: ['10.96.0.1', 'fd00::1'] });
    const [web] = cluster.services.list();
    assert.ok(web);
    cluster.services.put({ ...web, metadata: { ...web.metadata, annotations: { 'fairlead.dev/lb-algorithm': 'fastest' } } });
    const told: Event[] = [];
    const client = { create: async (_: unknown, event: Event) => void told.push(event), patch: async () => {} } as unknown as Client;
    await start(cluster, new FakeNftables(), { client, serviceCidrs: ['10.96.0.0/16', 'fd00::/112'] });
    await eventually(() => told.length > 0);
    assert.deepEqual(
      told.map(({ type, reason, involvedObject }) => `${type} ${reason} ${involvedObject.name}`),
      ['Warning AlgorithmUnknown web'],
    );
    assert.match(told[0]?.message ?? '', /^Cannot spread connections to Service "default\/web" by "fastest"/);
  });

  test('forgets clients whose endpoint is gone', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.100', { sessionAffinity: 'ClientIP' });
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const set = nft.table('ip', 'kube-proxy')?.sets.find((s) => s.name === 'affinity-of-default/web');
    assert.ok(set);
    const learnt: [string, string][] = [
      ['10.244.1.7 . 10.96.0.100 . tcp . 80', '10.244.2.2 . 8080'],
      ['10.244.1.8 . 10.96.0.100 . tcp . 80', '10.244.2.3 . 8080'],
    ];
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'add-elements', set, elements: learnt }] });
    cluster.endpoints('web', ['10.244.2.3']);
    await eventually(() => Object.keys(elements(nft, 'affinity-of-default/web')).length === 1);
    assert.deepEqual(elements(nft, 'affinity-of-default/web'), Object.fromEntries(learnt.slice(1)));
  });

  test('forgets clients whose packets now go by another policy, and no others', async () => {
    const cluster = new HandmadeCluster();
    const spec = { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }], sessionAffinity: 'ClientIP' };
    cluster.service('web', '10.96.0.100', spec);
    cluster.endpoints('web', ['10.244.2.2', '10.244.2.3']);
    const nft = new FakeNftables();
    await start(cluster, nft);
    const set = nft.table('ip', 'kube-proxy')?.sets.find((s) => s.name === 'affinity-of-default/web');
    assert.ok(set);
    const learnt: [string, string][] = [
      ['192.168.120.1 . 192.168.120.11 . tcp . 30080', '10.244.2.2 . 8080'],
      ['10.244.1.8 . 10.96.0.100 . tcp . 80', '10.244.2.3 . 8080'],
    ];
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'add-elements', set, elements: learnt }] });
    cluster.service('web', '10.96.0.100', { ...spec, externalTrafficPolicy: 'Local' });
    await eventually(() => Object.keys(elements(nft, 'affinity-of-default/web')).length === 1);
    assert.deepEqual(elements(nft, 'affinity-of-default/web'), Object.fromEntries(learnt.slice(1)));
  });

  test('names UDP flows as stale whose endpoint does not serve', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('dns', '10.96.0.10', { ports: [{ port: 53, protocol: 'UDP' }] });
    cluster.endpoints('dns', ['10.244.2.2', '10.244.2.3'], 'UDP');
    const verdicts: boolean[] = [];
    const flow = (answeredBy: string): Flow => ({ to: '10.96.0.10', port: 53, answeredBy, answeredFromPort: 8080 });
    const flows: Flows = {
      deleteStale: async (_, isStale) => {
        verdicts.push(isStale(flow('10.244.2.2')), isStale(flow('10.244.2.3')), isStale({ ...flow('1.1.1.1'), to: '9.9.9.9' }));
        return 0;
      },
      deleteUnanswered: async () => 0,
      close: () => {},
    };
    await start(cluster, new FakeNftables(), { flows });
    await eventually(() => verdicts.length === 3);
    cluster.endpoints('dns', ['10.244.2.3'], 'UDP');
    await eventually(() => verdicts.length === 6);
    assert.deepEqual(verdicts, [false, false, false, true, false, false]);
  });

  function judging(judged: (isStale: (flow: Flow) => boolean) => void): Flows {
    return {
      deleteStale: async (_, isStale) => {
        judged(isStale);
        return 0;
      },
      deleteUnanswered: async () => 0,
      close: () => {},
    };
  }

  test('looks for stale UDP flows also when the kernel first refused the change', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('dns', '10.96.0.10', { ports: [{ port: 53, protocol: 'UDP' }] });
    cluster.endpoints('dns', ['10.244.2.2'], 'UDP');
    const nft = new FakeNftables();
    let stale = false;
    const flow = { to: '10.96.0.10', port: 53, answeredBy: '10.244.2.2', answeredFromPort: 8080 };
    await start(cluster, nft, { flows: judging((isStale) => (stale = isStale(flow))) });
    nft.failure = new KnownError('KERNEL_REFUSED', 'no');
    const { messagesSent } = nft;
    cluster.endpoints('dns', ['10.244.2.3'], 'UDP');
    await eventually(() => nft.messagesSent > messagesSent);
    assert.equal(stale, false);
    nft.failure = undefined;
    await eventually(() => stale);
  });

  test('looks for stale UDP flows again when that failed', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('dns', '10.96.0.10', { ports: [{ port: 53, protocol: 'UDP' }] });
    let attempts = 0;
    const flows = judging(() => {
      if (++attempts === 1) throw new Error('no');
    });
    await start(cluster, new FakeNftables(), { flows, syncPeriodMs: 20 });
    await eventually(() => attempts === 2);
  });

  test('names UDP flows of a Service that is gone as stale, and none that was never translated', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('dns', '10.96.0.10', { type: 'NodePort', ports: [{ port: 53, nodePort: 30053, protocol: 'UDP' }] });
    cluster.endpoints('dns', ['10.244.2.2'], 'UDP');
    let judge: (flow: Flow) => boolean = () => false;
    const flows = judging((isStale) => (judge = isStale));
    await start(cluster, new FakeNftables(), { flows, nodePortAddresses: ['all'] });
    const answered = { answeredBy: '10.244.2.2', answeredFromPort: 8080 };
    const tracked: Flow[] = [
      { to: '10.96.0.10', port: 53, ...answered },
      { to: '192.168.120.11', port: 30053, ...answered },
      { to: '192.168.120.11', port: 30053, answeredBy: '192.168.120.11', answeredFromPort: 30053 },
      { to: '9.9.9.9', port: 30053, answeredBy: '9.9.9.9', answeredFromPort: 30053 },
    ];
    await eventually(() => judge(tracked[2] as Flow));
    assert.deepEqual(tracked.map(judge), [false, false, true, false]);
    cluster.services.remove('default/dns');
    await eventually(() => judge(tracked[0] as Flow));
    assert.deepEqual(tracked.map(judge), [true, true, false, false]);
  });

  test('names connections as lost that were sent to a Service while its rules were missing, until these are there', async () => {
    const cluster = new HandmadeCluster();
    cluster.service('web', '10.96.0.10', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
    cluster.endpoints('web', ['10.244.2.2']);
    const unanswered = [
      ['10.96.0.10', 80],
      ['192.168.120.11', 30080],
      ['10.96.0.10', 81],
      ['9.9.9.9', 30080],
    ] as const;
    const lost: boolean[][] = [];
    const flows: Flows = {
      ...noFlows,
      deleteUnanswered: async (_, isStale) => {
        lost.push(unanswered.map(([to, port]) => isStale({ to, port, answeredBy: to, answeredFromPort: port })));
        return 0;
      },
    };
    const nft = new FakeNftables();
    await start(cluster, nft, { flows, syncPeriodMs: 20 });
    await eventually(() => lost.length === 1);
    assert.deepEqual(lost, [[true, true, false, false]]);
    cluster.endpoints('web', ['10.244.2.3']);
    await eventually(() => Object.values(elements(nft, 'endpoints')).some((endpoint) => endpoint.startsWith('10.244.2.3')));
    assert.equal(lost.length, 1, 'a change is no reason to look');
    await nft.commitByOther({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'flush-chain', chain: 'services' }] });
    await eventually(() => lost.length === 2);
  });

  test('programs what came with an object that it cannot understand', async () => {
    const cluster = new HandmadeCluster();
    const nft = new FakeNftables();
    await start(cluster, nft);
    cluster.service('broken', '10.96.0.1');
    cluster.endpoints('broken', ['10.244.2.2']);
    const [slice] = cluster.slices.list();
    cluster.slices.put({ ...slice, endpoints: [{}] } as never);
    cluster.service('web', '10.96.0.100');
    cluster.endpoints('web', ['10.244.2.2']);
    await eventually(() => elements(nft, 'endpoints')['10.96.0.100 . tcp . 80 . 131072'] === '10.244.2.2 . 8080');
  });

  test('answers health checks of a Service and of itself', async () => {
    const cluster = new HandmadeCluster();
    cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
    const proxy = await start(cluster, new FakeNftables(), { healthzAddress: '127.0.0.1:0', metricsAddress: `${metricsHost}:0` });
    const healthz = await fetch(`http://${proxy.healthzAddress}/healthz`);
    assert.equal(healthz.status, 200);
    cluster.nodes.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node1' },
      spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] },
    });
    assert.equal((await fetch(`http://${proxy.healthzAddress}/healthz`)).status, 503);
    assert.equal((await fetch(`http://${proxy.healthzAddress}/livez`)).status, 200);
    assert.equal(await (await fetch(`http://${proxy.metricsAddress}/healthz`)).text(), 'ok');
    assert.equal(await (await fetch(`http://${proxy.metricsAddress}/proxyMode`)).text(), 'nftables');
    const metrics = await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text();
    assert.match(metrics, /kubeproxy_sync_full_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} \d/);
    assert.match(metrics, /kubeproxy_proxy_healthz_total\{code="200"\} 1\n/);
    assert.match(metrics, /fairlead_watch_age_seconds\{resource="services"\} 1\.5/);
  });

  test('tells what its mode counted for Services, of both families together, unless it is told not to', async () => {
    const cluster = new HandmadeCluster();
    const counted = async (more: Partial<ProxyOptions>): Promise<string[]> => {
      const mode = new NftablesMode(new FakeNftables());
      const open = mode.open.bind(mode);
      mode.open = async (node) => {
        const counts = [{ service: 'default/web', port: '', protocol: 'tcp' as const, connections: 3 }];
        return Object.assign(await open(node), { counts: async () => counts });
      };
      const nodeIps = ['192.168.120.11', 'fd00::11'];
      const proxy = await start(cluster, new FakeNftables(), { rules: mode, nodeIps, metricsAddress: '127.0.0.1:0', ...more });
      const text = await (await fetch(`http://${proxy.metricsAddress}/metrics`)).text();
      return text.split('\n').filter((line) => line.startsWith('fairlead_service_'));
    };
    const labels = '{namespace="default",service="web",port="",protocol="TCP"}';
    assert.deepEqual(await counted({}), [`fairlead_service_connections_total${labels} 6`]);
    assert.deepEqual(await counted({ serviceCounters: false }), []);
  });
});
