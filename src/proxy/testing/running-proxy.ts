/** A proxy over a handmade cluster, for as long as a test runs. */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Client } from '../../client/client.ts';
import type { InformerSet } from '../../client/informers.ts';
import type { Nftables } from '../../linux/nftables/table.ts';
import type { FakeNftables } from '../../linux/testing/fake-nftables.ts';
import { NftablesMode } from '../mode/nftables/nftables-mode.ts';
import type { ProxyOptions } from '../options.ts';
import { type ServiceProxy, startProxy } from '../proxy.ts';
import { FakeNodeHost } from './fake-node-host.ts';
import type { HandmadeCluster } from './handmade-cluster.ts';
import { noFlows } from './no-flows.ts';

const running: ServiceProxy[] = [];

/** Starts one for node1; resolves when its rules are there. */
export async function start(cluster: HandmadeCluster, nftables: Nftables, more: Partial<ProxyOptions> = {}): Promise<ServiceProxy> {
  const proxy = await startProxy({
    client: {} as Client,
    informers: cluster as unknown as InformerSet,
    nodeName: 'node1',
    nodeIps: ['192.168.120.11'],
    clusterCidrs: ['10.244.0.0/16'],
    minSyncPeriodMs: 0,
    rules: new NftablesMode(nftables),
    flows: noFlows,
    host: new FakeNodeHost(),
    ...more,
  });
  running.push(proxy);
  await proxy.synced;
  return proxy;
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The IPv4 elements of a set. */
export function elements(nft: FakeNftables, set: string): Record<string, string> {
  return Object.fromEntries(nft.table('ip', 'kube-proxy')?.elements.get(set) ?? []);
}

/** Ends all that were started, for `afterEach`. */
export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((proxy) => proxy.close()));
}
