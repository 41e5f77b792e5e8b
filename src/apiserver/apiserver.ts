/** `createApiServer` puts the parts together: store → watch cache → access → admission → handlers → HTTPS. */
import { messageOf } from '../errors/known-error.ts';
import { joinHostPort } from '../ip/ip.ts';
import { gitVersion } from '../observability/version.ts';
import type { Store } from '../storage/store.ts';
import { keepClaims } from './allocation/claim-keeper.ts';
import { keepAggregatedRoles } from './bootstrap/aggregated-roles.ts';
import { publishClientCa } from './bootstrap/authentication-config.ts';
import { baseObjects } from './bootstrap/base-objects.ts';
import { ensureExists } from './bootstrap/ensure.ts';
import { keepKubernetesService, reconcileKubernetesService } from './bootstrap/kubernetes-service.ts';
import { reconcilePolicy } from './bootstrap/policy.ts';
import { ServerLeases } from './bootstrap/server-leases.ts';
import { FlowControl } from './flow/flow-control.ts';
import { flowOf } from './flow/levels.ts';
import { beginConnection } from './flow/turn.ts';
import type { Work } from './flow/width.ts';
import { defaultMaxStreams } from './http/http2-sessions.ts';
import { listenHttps } from './http/https-listener.ts';
import type { RequestInfo } from './http/request-info.ts';
import { serveUpgrade } from './kubelet/upgrade.ts';
import type { Metrics } from './metrics.ts';
import type { ApiServerOptions } from './options.ts';
import { type Parts, partsOf } from './parts.ts';
import { route } from './router.ts';
import { Discovery } from './server-path/discovery.ts';
import { type ServerPathsOptions, servePath } from './server-path/server-paths.ts';
import { specialHandlers } from './special-handlers.ts';

export interface ApiServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Behind /metrics: parts beside the server may count there too. */
  readonly metrics: Metrics['registry'];
  /** Ends watches and connections; the store stays open. */
  close(): Promise<void>;
}

/** Resolves when the server answers and everything that it keeps in the cluster is there. Throws PORT_TAKEN, BAD_CONFIG. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const stop = new AbortController();
  const parts = await partsOf(options, stop.signal);
  for (const object of baseObjects) await ensureExists(parts, object);
  await reconcilePolicy(parts);
  await publishClientCa(parts, String(options.tls.clientCa), options.frontProxyCa);
  const { app, address } = await listen(parts);
  const keeping = await keepCluster(parts, address.port);
  return {
    address: { host: address.address, port: address.port },
    metrics: parts.metrics.registry,
    async close() {
      // While it still answers: clients are sent elsewhere first.
      await keeping.leave();
      stop.abort();
      parts.kubelets.close();
      parts.serviceClient.close();
      await app.close();
      await keeping.ended;
      await parts.close();
    },
  };
}

function listen(parts: Parts): ReturnType<typeof listenHttps> {
  const { options, access, resources, metrics, aggregation } = parts;
  const { clock, log } = options;
  const flow = new FlowControl({ clock, inflight: options.inflight, onReject: (level, why) => metrics.flow.rejected(level, why) });
  metrics.flow.follow(flow);
  const special = specialHandlers(parts);
  const paths = serverPaths(parts);
  return listenHttps({
    ...{ listen: options.listen, tls: options.tls, access, flow, clock, log },
    http2MaxStreams: options.http2MaxStreams ?? defaultMaxStreams,
    goawayChance: options.goawayChance ?? 0,
    workOf: ({ info }) => workOf(parts, info),
    serve: (ctx) =>
      route(
        { resources, special, path: (c) => servePath(paths, c), remote: (c) => aggregation.serve(c), fresh: () => parts.feed.fresh() },
        ctx,
      ),
    upgrade: (req, socket, head) =>
      void serveUpgrade(
        { ...parts, log, begin: ({ user, info }, connection) => beginConnection(flow, flowOf(user, info), connection) },
        ...([req, socket, head] as const),
      ),
    observe: (request) => metrics.observe(request),
  });
}

function serverPaths({ options, registry, metrics, tokenIssuer, aggregation }: Parts): ServerPathsOptions {
  const advertised = joinHostPort(options.advertiseAddress, options.listen.port);
  return {
    discovery: new Discovery({ registry, remotes: aggregation, serverAddress: advertised, version: gitVersion }),
    problems: () => storeProblems(options.store),
    metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
    openidConfiguration: () => tokenIssuer.openidConfiguration(`https://${advertised}`),
    jwks: () => tokenIssuer.jwks(),
  };
}

interface Keeping {
  /** Takes the server out of what pods are told of servers. */
  leave(): Promise<void>;
  readonly ended: Promise<unknown>;
}

/** What the server keeps in the cluster for as long as it runs. */
async function keepCluster(parts: Parts, port: number): Promise<Keeping> {
  const { options, feed, lookup, authorizer, serviceAllocation, stop } = parts;
  const { clock, log, serviceCidrs, advertiseAddress } = options;
  const service = { serviceCidrs, advertiseAddress, port, leases: new ServerLeases(options.store) };
  const registers = options.registers ?? true;
  if (registers)
    await reconcileKubernetesService(parts, service).catch((err: unknown) =>
      log.warn('cannot write default/kubernetes, trying again', { error: messageOf(err) }),
    );
  const caches = ['services', 'endpoints', 'endpointslices'].map((name) => feed.cache(name));
  const background = { clock, log, signal: stop };
  const left = new AbortController();
  const serving = registers ? keepKubernetesService(parts, service, { caches, ...background, signal: left.signal }) : Promise.resolve();
  const others = [
    ...Object.values(serviceAllocation.stocks).map((stock) => keepClaims(stock, { lookup, feed, ...background })),
    parts.custom.keep(),
    parts.aggregation.keep(),
    parts.localServices.keep(),
    keepAggregatedRoles(parts, { cache: feed.cache('clusterroles'), lookup, rbac: authorizer.rbac, ...background }),
  ];
  return {
    leave: () => {
      left.abort();
      return serving;
    },
    ended: Promise.all(others),
  };
}

function workOf({ feed, registry }: Parts, info: RequestInfo): Work {
  const stored = registry.rowOf(info.group, info.version, info.resource)?.storedAs;
  const cache = stored === undefined ? undefined : feed.find(stored);
  return { objects: cache?.size ?? 0, watchers: cache?.broadListeners ?? 0 };
}

async function storeProblems(store: Store): Promise<readonly string[]> {
  try {
    await store.revision();
    return [];
  } catch (err) {
    return [`store failed: ${messageOf(err)}`];
  }
}
