import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import type { ProxyOptions } from './options.ts';
import { type ServiceProxy, startProxy } from './proxy.ts';
import { ReloadingProxy } from './reloading-proxy.ts';
import { FakeNodeHost } from './testing/fake-node-host.ts';
import { HandmadeCluster } from './testing/handmade-cluster.ts';
import { noFlows } from './testing/no-flows.ts';
import { freePort } from './testing/running-proxy.ts';

const running: ReloadingProxy[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((proxy) => proxy.close()));
});

function fixed(cluster: HandmadeCluster, nft: FakeNftables): ProxyOptions {
  return {
    client: {} as Client,
    informers: cluster as unknown as InformerSet,
    nodeName: 'node1',
    nodeIps: ['192.168.120.11'],
    nodePortAddresses: ['127.0.0.0/8', 'primary'],
    minSyncPeriodMs: 0,
    rules: new NftablesMode(nft),
    flows: noFlows,
    host: new FakeNodeHost(),
  };
}

async function web(): Promise<{ cluster: HandmadeCluster; nft: FakeNftables }> {
  const cluster = new HandmadeCluster();
  cluster.service('web', '10.96.0.100');
  cluster.endpoints('web', ['10.244.2.2', '10.244.2.3']);
  return { cluster, nft: new FakeNftables() };
}

describe('ReloadingProxy', () => {
  test('goes on under other settings, and what the kernel holds of a Service stays', async () => {
    const { cluster, nft } = await web();
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const proxy = await ReloadingProxy.start(fixed(cluster, nft), { masqueradeAll: false, metricsAddress, configuration: { a: 1 } });
    running.push(proxy);
    await proxy.synced;
    const held = [...(nft.table('ip', 'kube-proxy')?.elements.get('endpoints') ?? [])];
    assert.equal(held.length, 2);
    await proxy.change({ masqueradeAll: false, syncPeriodMs: 40_000, metricsAddress, configuration: { a: 2 } });
    const sent = nft.messagesSent;
    await proxy.synced;
    assert.equal(nft.messagesSent, sent, 'a kernel that holds everything is left alone');
    assert.deepEqual([...(nft.table('ip', 'kube-proxy')?.elements.get('endpoints') ?? [])], held);
    const told = await (await fetch(`http://${metricsAddress}/configz`)).json();
    assert.deepEqual(told, { 'kubeproxy.config.k8s.io': { a: 2 } });
  });

  test('starts no other proxy for what is only told', async () => {
    const { cluster, nft } = await web();
    let started = 0;
    const start = async (options: ProxyOptions): Promise<ServiceProxy> => {
      started++;
      return await startProxy(options);
    };
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const proxy = await ReloadingProxy.start(fixed(cluster, nft), { metricsAddress, configuration: { a: 1 } }, start);
    running.push(proxy);
    await proxy.change({ metricsAddress, configuration: { a: 2 } });
    const told = await (await fetch(`http://${metricsAddress}/configz`)).json();
    assert.deepEqual([told, started], [{ 'kubeproxy.config.k8s.io': { a: 2 } }, 1]);
  });

  test('answers load balancers at every moment between two proxies, also when the first one after the change does not start', async () => {
    const { cluster, nft } = await web();
    cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
    const [healthzAddress, port] = [`127.0.0.1:${await freePort()}`, await freePort()];
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port } as const;
    cluster.service('lb', '10.96.0.101', { ...local, ports: [{ port: 80, nodePort: 30080 }] });
    cluster.endpoints('lb', ['10.244.1.2'], 'TCP', 'node1');
    const asked = async (): Promise<number[]> =>
      await Promise.all([`${healthzAddress}/healthz`, `127.0.0.1:${port}/`].map(async (url) => (await fetch(`http://${url}`)).status));
    const seen: (readonly [string | undefined, number[]])[] = [];
    const start = async (options: ProxyOptions): Promise<ServiceProxy> => {
      if (seen.length > 0 || options.mode === undefined) seen.push([options.mode, await asked()]);
      if (options.mode === 'ipvs') throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot use ipvs');
      return await startProxy(options);
    };
    const proxy = await ReloadingProxy.start(fixed(cluster, nft), { mode: 'nftables', healthzAddress }, start);
    running.push(proxy);
    await proxy.synced;
    await eventually(async () => assert.deepEqual(await asked(), [200, 200]));
    await proxy.change({ healthzAddress });
    await proxy.change({ mode: 'ipvs', healthzAddress });
    await proxy.synced;
    assert.deepEqual(seen, [
      [undefined, [200, 200]],
      ['ipvs', [200, 200]],
      [undefined, [200, 200]],
    ]);
    assert.deepEqual(await asked(), [200, 200]);
  });

  test('says that nothing runs when going back fails too, and tries until it does', async () => {
    const clock = new FakeClock();
    const said: string[] = [];
    const log: Log = { ...silentLog, error: (text) => void said.push(text), info: (text) => void said.push(text) };
    let refused: string | undefined;
    const start = async ({ mode = '' }: ProxyOptions): Promise<ServiceProxy> => {
      if (refused !== undefined) throw new KnownError('KERNEL_REFUSED', refused);
      const proxy = { synced: Promise.resolve(), modeName: mode, release: async () => undefined, close: async () => {} };
      return proxy as unknown as ServiceProxy;
    };
    const proxy = await ReloadingProxy.start({ client: {} as Client, nodeName: 'n', clock, log }, { mode: 'nftables' }, start);
    running.push(proxy);
    refused = 'no memory';
    await proxy.change({ mode: 'ipvs' });
    assert.equal(proxy.problem, 'no proxy runs: no memory');
    assert.deepEqual(said, [
      'Cannot start under the changed configuration, goes back to the last one: no memory',
      'Cannot start under the last configuration either, no rules change until it can; tries again in 1 s: no memory',
    ]);
    refused = undefined;
    await clock.advance(1000);
    assert.equal(proxy.problem, undefined);
    await proxy.change({ mode: 'iptables' });
    assert.equal(said.at(-1), 'Goes on under the changed configuration');
  });

  for (const then of ['another change', 'the end'] as const)
    test(`leaves no attempt behind when ${then} comes while one is under way that fails`, async () => {
      const clock = new FakeClock();
      const alive = new Set<ServiceProxy>();
      let attempt: (() => Promise<void>) | undefined;
      const start = async ({ mode = '' }: ProxyOptions): Promise<ServiceProxy> => {
        await attempt?.();
        const end = async (): Promise<undefined> => void alive.delete(proxy);
        const proxy = { synced: Promise.resolve(), modeName: mode, release: end, close: end } as unknown as ServiceProxy;
        alive.add(proxy);
        return proxy;
      };
      const proxy = await ReloadingProxy.start({ client: {} as Client, nodeName: 'n', clock }, { mode: 'nftables' }, start);
      const refusal = new KnownError('KERNEL_REFUSED', 'no memory');
      attempt = () => Promise.reject(refusal);
      await proxy.change({ mode: 'ipvs' });
      const { promise: underWay, reject } = Promise.withResolvers<void>();
      attempt = () => underWay;
      await clock.advance(1000);
      const next = then === 'the end' ? proxy.close() : proxy.change({ mode: 'iptables' });
      attempt = undefined;
      reject(refusal);
      await next;
      assert.equal(clock.pending, 0);
      await clock.advance(60_000);
      assert.equal(alive.size, then === 'the end' ? 0 : 1);
      await proxy.close();
      assert.equal(alive.size, 0);
    });

  for (const outcome of ['starts', 'fails'] as const)
    test(`leaves no proxy behind when it ends while a change is under way whose proxy ${outcome}`, async () => {
      const alive = new Set<ServiceProxy>();
      let underWay: Promise<void> | undefined;
      const start = async ({ mode = '' }: ProxyOptions): Promise<ServiceProxy> => {
        await underWay;
        const end = async (): Promise<undefined> => void alive.delete(proxy);
        const proxy = { synced: Promise.resolve(), modeName: mode, release: end, close: end } as unknown as ServiceProxy;
        alive.add(proxy);
        return proxy;
      };
      const clock = new FakeClock();
      const proxy = await ReloadingProxy.start({ client: {} as Client, nodeName: 'n', clock }, { mode: 'nftables' }, start);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      underWay = promise;
      const changed = proxy.change({ mode: 'ipvs' });
      await eventually(() => alive.size === 0);
      const closed = proxy.close();
      if (outcome === 'starts') resolve();
      else reject(new KnownError('KERNEL_REFUSED', 'no memory'));
      underWay = undefined;
      await Promise.all([changed, closed]);
      assert.deepEqual([alive.size, clock.pending], [0, 0]);
      await proxy.change({ mode: 'iptables' });
      assert.equal(alive.size, 0, 'nor does one begin after the end');
    });

  test('goes on under the last settings when nothing can start under the new ones', async () => {
    const { cluster, nft } = await web();
    const started: (string | undefined)[] = [];
    const start = async (options: ProxyOptions): Promise<ServiceProxy> => {
      started.push(options.mode);
      if (options.mode === 'ipvs') throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot use ipvs');
      return await startProxy(options);
    };
    const proxy = await ReloadingProxy.start(fixed(cluster, nft), { mode: 'nftables' }, start);
    running.push(proxy);
    await proxy.synced;
    await proxy.change({ mode: 'ipvs' });
    await proxy.synced;
    assert.deepEqual(started, ['nftables', 'ipvs', 'nftables']);
    assert.equal(proxy.problem, undefined);
  });

  test('lets a mode that carries connections itself go on until the next has the rules of every family, and then end what is short', async () => {
    const clock = new FakeClock();
    const did: string[] = [];
    const carrier = { name: 'userspace', retire: () => did.push('retire'), close: () => did.push('end'), listeners: () => [] };
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
    const start = async ({ mode = '' }: ProxyOptions): Promise<ServiceProxy> => {
      did.push(`start ${mode}`);
      const proxy = { synced: Promise.resolve(), settled, modeName: mode, release: async () => carrier, close: async () => {} };
      return proxy as unknown as ServiceProxy;
    };
    const cleanOthers = async (own: string): Promise<boolean> => did.push(`clean for ${own}`) > 0;
    const proxy = await ReloadingProxy.start({ client: {} as Client, nodeName: 'n', clock, cleanOthers }, { mode: 'userspace' }, start);
    await proxy.change({ mode: 'nftables' });
    await clock.advance(60_000);
    assert.deepEqual(did, ['start userspace', 'start nftables']);
    settle();
    await clock.advance(999);
    assert.equal(did.length, 2);
    await clock.advance(1);
    assert.deepEqual(did.slice(2), ['retire', 'clean for nftables']);
    await proxy.close();
    assert.deepEqual(did.slice(4), ['end']);
  });

  test('forgets a setting that the new ones do not have', async () => {
    const { cluster, nft } = await web();
    const seen: (string | undefined)[] = [];
    const start = async (options: ProxyOptions): Promise<ServiceProxy> => {
      seen.push(options.bridgeInterface);
      return await startProxy(options);
    };
    const proxy = await ReloadingProxy.start(fixed(cluster, nft), { bridgeInterface: 'cni0' }, start);
    running.push(proxy);
    await proxy.change({});
    assert.deepEqual(seen, ['cni0', undefined]);
  });
});
