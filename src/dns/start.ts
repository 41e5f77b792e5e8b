/** A DNS server of the cluster: informers feed the zone, plugins answer, sockets listen. */
import { endpointSlices, namespaces, services } from '../api/resource-types.ts';
import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import { agesOf, registerWatchAge } from '../client/watch-age.ts';
import { aborted } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { mustCidr } from '../ip/ip.ts';
import type { Log } from '../observability/log.ts';
import { type Page, servePages } from './health.ts';
import { RCODE } from './message/names.ts';
import { refusal } from './message/reply.ts';
import { DnsMetrics } from './metrics.ts';
import { cachePlugin } from './plugin/cache/cache.ts';
import { forwardPlugin } from './plugin/forward/forward.ts';
import type { Upstream } from './plugin/forward/resolver.ts';
import { kubernetesPlugin } from './plugin/kubernetes/kubernetes.ts';
import { chain } from './plugin/plugin.ts';
import { publish } from './publish/publisher.ts';
import { type DnsServer, startDnsServer } from './server/server.ts';
import { ClusterZone } from './zone/cluster-zone.ts';
import { feedZone } from './zone/feed.ts';

export interface DnsOptions {
  readonly client: Client;
  readonly informers: InformerSet;
  /** `cluster.local` */
  readonly zone: string;
  readonly listen: readonly { readonly address: string; readonly port: number }[];
  /** For names outside the zone; asked anew for each question. */
  readonly upstreams: () => readonly Upstream[];
  /** Ranges of pods and Services: their reverse names are never asked of others. */
  readonly ranges: readonly string[];
  /** Seconds a client may keep an answer of the zone. Default 5. */
  readonly ttl?: number;
  /** CoreDNS's `health` (`:8080`), `ready` (`:8181`) and `prometheus` (`:9153`), as `HOST:PORT`; not served without. */
  readonly healthAddress?: string;
  readonly readyAddress?: string;
  readonly metricsAddress?: string;
  /** /ready says no when the API server was not heard for so long: names may be old. Default: never, as CoreDNS. */
  readonly maxWatchAgeMs?: number;
  /** CoreDNS's `health { lameduck }`: how long everything is answered after the signal, for proxies and probes that have not heard. Default 5 s. */
  readonly lameduckMs?: number;
  /** The Service behind which this server stands. `address` is where others reach it (default: the first that is listened on). */
  readonly publish?: { readonly namespace: string; readonly service: string; readonly nodeName: string; readonly address?: string };
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const defaultLameduckMs = 5_000;
/** CoreDNS waits as long for what is under way. A question to a resolver takes less. */
const drainMs = 5_000;

export interface Dns {
  readonly servers: readonly DnsServer[];
  /** Where the pages for machines are, by the address that was asked for. */
  readonly ports: ReadonlyMap<string, number>;
  /** Resolves when every name is known. */
  readonly synced: Promise<void>;
  /** Ends after the signal. */
  readonly stopped: Promise<void>;
}

/** Listens at once; names of the zone are SERVFAIL until every informer holds its first list. Throws PORT_TAKEN. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const { clock, log, signal } = options;
  const zone = new ClusterZone(options.zone, {
    ttl: options.ttl ?? 5,
    serial: Math.floor(clock.now() / 1000),
    serverIps: [options.publish?.address ?? '', ...options.listen.map((l) => l.address)].filter(
      (ip) => ip !== '' && ip !== '0.0.0.0' && ip !== '::',
    ),
  });
  let isSynced = false;
  // Questions of before the end are still forwarded while proxies learn of it.
  const closing = new AbortController();
  const cache = cachePlugin({ clock });
  const forward = forwardPlugin({ upstreams: options.upstreams, clock, log, signal: closing.signal });
  const server = `dns://:${options.listen[0]?.port ?? 53}`;
  const metrics =
    options.metricsAddress === undefined
      ? undefined
      : new DnsMetrics({ zone: zone.origin, cache: cache.statistics, forward: forward.statistics, server });
  const watchAges = (): ReadonlyMap<string, number> =>
    agesOf([options.informers.of(services), options.informers.of(endpointSlices), options.informers.of(namespaces)]);
  if (metrics) registerWatchAge(metrics.registry, watchAges);
  const synced = feedZone(zone, options, metrics).then(() => {
    isSynced = true;
  });
  const answer = chain([kubernetesPlugin({ zone, isSynced: () => isSynced, ranges: options.ranges.map(mustCidr) }), cache, forward], () =>
    refusal(RCODE.REFUSED),
  );
  const observe = metrics ? { observe: metrics.observe } : {};
  const pages = await servePages([
    [options.healthAddress, '/health', () => ({ code: signal.aborted ? 503 : 200, body: signal.aborted ? 'stopping' : 'OK' })],
    [options.readyAddress, '/ready', ready],
    [
      options.metricsAddress,
      '/metrics',
      async () => ({ code: 200, body: (await metrics?.registry.metrics()) ?? '', type: 'text/plain; version=0.0.4; charset=utf-8' }),
    ],
  ]);
  const servers: DnsServer[] = [];
  const close = async (): Promise<void> => {
    closing.abort();
    await Promise.all([pages.close(), ...servers.map((s) => s.close())]);
  };
  try {
    for (const { address, port } of options.listen) servers.push(await startDnsServer({ address, port, answer, log, clock, ...observe }));
  } catch (err) {
    await close();
    throw err;
  }
  return { servers, ports: pages.ports, synced, stopped: run() };

  /** As CoreDNS: who is not ready is named. */
  function ready(): Page {
    if (!isSynced || signal.aborted) return { code: 503, body: 'kubernetes' };
    const { maxWatchAgeMs = Number.POSITIVE_INFINITY } = options;
    const [old] = [...watchAges()].filter(([, ms]) => ms > maxWatchAgeMs);
    return old ? { code: 503, body: `kubernetes: no word of ${old[0]} for ${Math.round(old[1] / 1000)} s` } : { code: 200, body: 'OK' };
  }

  async function run(): Promise<void> {
    await Promise.race([synced, aborted(signal)]);
    const first = servers[0];
    if (!signal.aborted && first && options.publish) {
      const metricsPort = options.metricsAddress === undefined ? undefined : pages.ports.get(options.metricsAddress);
      // Its end takes the slice away.
      await publish({ ...options, address: first.address, ...options.publish, port: first.port, metricsPort });
    }
    await aborted(signal);
    const lameduckMs = options.lameduckMs ?? defaultLameduckMs;
    if (lameduckMs > 0) {
      log.info(`Answering for another ${lameduckMs / 1000} s`);
      await clock.sleep(lameduckMs);
    }
    await Promise.race([Promise.all(servers.map((s) => s.drain())), clock.sleep(drainMs)]);
    await close();
  }
}
