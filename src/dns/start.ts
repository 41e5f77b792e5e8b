/** A DNS server of the cluster: plugins answer, sockets listen, an EndpointSlice tells the cluster of it. */
import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import { aborted } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { type HealthPages, servePages } from '../observability/health-pages.ts';
import type { Log } from '../observability/log.ts';

import { DnsMetrics } from './metrics/dns-metrics.ts';
import { type ClusterDnsSettings, clusterBlocks } from './plugin/blocks.ts';
import { PluginChain } from './plugin/chain.ts';
import { publish } from './publish/publisher.ts';
import { type DnsServer, startDnsServer } from './server/server.ts';

export interface DnsOptions extends ClusterDnsSettings {
  readonly client: Client;
  readonly informers: InformerSet;
  /** Where it listens. */
  readonly address: string;
  readonly port: number;
  /** CoreDNS's `health` (`:8080`), `ready` (`:8181`) and `prometheus` (`:9153`), as `HOST:PORT`; not served without. */
  readonly healthAddress?: string | undefined;
  readonly readyAddress?: string | undefined;
  readonly metricsAddress?: string | undefined;
  /** CoreDNS's `health { lameduck }`: how long everything is answered after the signal, for proxies and probes that have not heard. Default 5 s. */
  readonly lameduckMs?: number;
  /** The Service behind which this server stands. `address` is where others reach it (default: where it listens). */
  readonly publish?: { readonly namespace: string; readonly service: string; readonly nodeName: string; readonly address?: string };
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const defaultLameduckMs = 5_000;
/** CoreDNS waits as long for what is under way. A question to a resolver takes less. */
const drainMs = 5_000;

export interface Dns {
  readonly port: number;
  /** Where the pages for machines are, by the address that was asked for. */
  readonly ports: ReadonlyMap<string, number>;
  /** Resolves when every name is known. */
  readonly synced: Promise<void>;
  /** Ends after the signal. */
  readonly stopped: Promise<void>;
}

/** Listens at once; names of the zone are SERVFAIL until every informer holds its first list. Throws PORT_TAKEN. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const { clock, log, informers, address, port } = options;
  const label = `dns://:${port}`;
  const metrics = new DnsMetrics({ zone: options.zone, server: label });
  const serverIps = [options.publish?.address ?? '', address].filter(isAddressOfOne);
  // Questions of before the end are still forwarded while proxies learn of it.
  const closing = new AbortController();
  const env = { clock, log, informers, serverIps, server: label, metrics: metrics.registry, signal: closing.signal };
  const plugins = new PluginChain(clusterBlocks(options), env);
  const pages = await servePagesOf(options, plugins, metrics);
  const close = async (server?: DnsServer): Promise<void> => {
    closing.abort();
    await Promise.all([pages.close(), server?.close()]);
  };
  const observe = options.metricsAddress === undefined ? {} : { observe: metrics.observe };
  const answer = plugins.answer.bind(plugins);
  const server = await startDnsServer({ address, port, answer, log, clock, ...observe }).catch(async (err: unknown) => {
    await close();
    throw err;
  });
  const running = { port: server.port, ports: pages.ports, synced: plugins.synced };
  return { ...running, stopped: publishAndDrain(options, server, running).then(() => close(server)) };
}

function isAddressOfOne(ip: string): boolean {
  return ip !== '' && ip !== '0.0.0.0' && ip !== '::';
}

/** As CoreDNS's pages: /ready names who is not. */
function servePagesOf(options: DnsOptions, plugins: PluginChain, { registry }: DnsMetrics): Promise<HealthPages> {
  const { signal } = options;
  return servePages([
    [options.healthAddress, '/health', () => (signal.aborted ? { code: 503, body: 'stopping' } : { code: 200, body: 'OK' })],
    [
      options.readyAddress,
      '/ready',
      () => {
        const waiting = signal.aborted ? ['stopping'] : plugins.notReady();
        return waiting.length > 0 ? { code: 503, body: waiting.join(',') } : { code: 200, body: 'OK' };
      },
    ],
    [
      options.metricsAddress,
      '/metrics',
      async () => ({ code: 200, body: await registry.metrics(), type: 'text/plain; version=0.0.4; charset=utf-8' }),
    ],
  ]);
}

/** Resolves when the signal has aborted, the cluster has heard of it, and what is under way is answered. */
async function publishAndDrain(options: DnsOptions, server: DnsServer, { ports, synced }: Pick<Dns, 'ports' | 'synced'>): Promise<void> {
  const { clock, log, signal } = options;
  await Promise.race([synced, aborted(signal)]);
  if (!signal.aborted && options.publish) {
    const metricsPort = options.metricsAddress === undefined ? undefined : ports.get(options.metricsAddress);
    // Its end takes the slice away.
    await publish({ ...options, ...options.publish, port: server.port, metricsPort });
  }
  await aborted(signal);
  const lameduckMs = options.lameduckMs ?? defaultLameduckMs;
  if (lameduckMs > 0) {
    log.info(`Answering for another ${lameduckMs / 1000} s`);
    await clock.sleep(lameduckMs);
  }
  await Promise.race([server.drain(), clock.sleep(drainMs)]);
}
