/** `createApiServer` puts the parts together: store → watch cache → access → admission → handlers → HTTPS. */
import { readFile } from 'node:fs/promises';
import { Registry } from '../api/registry/registry.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  nodes,
  pods,
  type ResourceType,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
} from '../api/resource-types.ts';
import type { Clock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import type { Store } from '../storage/store.ts';
import { type AdmissionChoice, admissionChain } from './admission/chain.ts';
import type { UnservedDeps } from './admission/unserved.ts';
import { ServiceAllocation } from './allocate/service-allocation.ts';
import type { PortRange } from './allocate/service-ports.ts';
import type { AuthObjects } from './auth/auth-objects.ts';
import { Authenticator } from './auth/authenticator.ts';
import { Authorizer } from './auth/authorizer.ts';
import { NodeGraph } from './auth/node-graph.ts';
import { RbacIndex, type RbacObject } from './auth/rbac-index.ts';
import { TokenIssuer } from './auth/token-issuer.ts';
import { loadTokenKeys } from './auth/token-keys.ts';
import { keepAggregatedRoles } from './bootstrap/aggregated-roles.ts';
import { publishClientCa } from './bootstrap/authentication-config.ts';
import { baseObjects } from './bootstrap/base-objects.ts';
import { ensureExists } from './bootstrap/ensure.ts';
import { keepIpAddresses } from './bootstrap/ip-addresses.ts';
import { keepKubernetesService, reconcileKubernetesService } from './bootstrap/kubernetes-service.ts';
import { reconcilePolicy } from './bootstrap/policy.ts';
import { eventTeller } from './bootstrap/server-events.ts';
import { Lookup } from './cache/lookup.ts';
import { WatchFeed } from './cache/watch-feed.ts';
import { FlowControl, type Inflight } from './flow/flow-control.ts';
import { flowOf } from './flow/levels.ts';
import { beginConnection } from './flow/turn.ts';
import type { Work } from './flow/width.ts';
import { Access, attributesOf } from './http/access.ts';
import { listenHttps } from './http/https-listener.ts';
import type { RequestInfo } from './http/request-info.ts';
import { KubeletClient, type KubeletTls } from './kubelet/kubelet-client.ts';
import { logHandler } from './kubelet/log.ts';
import { proxyHandler } from './kubelet/proxy.ts';
import { serveUpgrade } from './kubelet/upgrade.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { ObjectStore } from './resource/object-store.ts';
import { ResourceHandlers } from './resource/resource-handlers.ts';
import { Writer } from './resource/writer.ts';
import { reviewHandlers } from './review/reviews.ts';
import { type Handler, route, specialKey } from './router.ts';
import { Discovery } from './server-path/discovery.ts';
import { servePath } from './server-path/server-paths.ts';
import { gitVersion } from './server-path/version.ts';
import { badRequest } from './status/status-error.ts';
import { bind } from './subresource/binding.ts';
import { evictionHandler } from './subresource/eviction.ts';
import { scaleHandler } from './subresource/scale.ts';
import { tokenHandler } from './subresource/token.ts';

export interface ApiServerOptions {
  /** Closed by the caller, after the server. */
  readonly store: Store;
  /** What is served; rows may be added and removed at any time. Default: what is built in. */
  readonly registry?: Registry | undefined;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. `clientCa` signs client certificates. */
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly clientCa: string | Buffer };
  /** Files with PEM keys: the first signs tokens, all verify them. */
  readonly serviceAccounts: {
    readonly issuer: string;
    readonly keyFiles: readonly string[];
    /** How long tokens may live at most, in seconds; absent: as long as is asked. */
    readonly maxExpirationSeconds?: number | undefined;
    /** Default true. */
    readonly extendExpiration?: boolean | undefined;
  };
  /** Parts that are other people's programs: what ours do not do, they may. */
  readonly foreign?: UnservedDeps['foreign'] | undefined;
  /** Admission plugins beside those that are on by default, and which of these are not. */
  readonly admission?: AdmissionChoice | undefined;
  /** One range: `10.96.0.0/16`. */
  readonly serviceCidr: string;
  /** `30000-32767`. */
  readonly nodePortRange: string;
  /** Where pods reach this server: the address behind `default/kubernetes`. */
  readonly advertiseAddress: string;
  /** PEM of the authority of those who may speak for others to API servers behind this one. */
  readonly frontProxyCa?: string | undefined;
  /** PEM: the certificate shown to kubelets, and the CA of theirs. */
  readonly kubeletClient: KubeletTls;
  /** How many requests may be under way. */
  readonly inflight?: Inflight | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ApiServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Behind /metrics: parts beside the server may count there too. */
  readonly metrics: Metrics['registry'];
  /** Ends watches and connections; the store stays open. */
  close(): Promise<void>;
}

/** Resolves when the server answers and everything that it keeps in the cluster is there. Throws PORT_TAKEN, BAD_CONFIG. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, log, tls } = options;
  const nodePorts = portRangeOf(options.nodePortRange);
  const [signing, ...verifying] = await Promise.all(options.serviceAccounts.keyFiles.map((file) => readFile(file, 'utf8')));
  if (signing === undefined) throw new KnownError('BAD_CONFIG', 'Cannot start the API server: no key to sign ServiceAccount tokens with');
  const keys = loadTokenKeys({ signing, verifying });

  const feed = new WatchFeed({ store, clock, log });
  const registry = options.registry ?? new Registry();
  holdObjects(feed, registry);
  await feed.start();
  const lookup = new Lookup(feed, registry);
  const objects = new ObjectStore(store, feed, registry);
  const stop = new AbortController();

  const authObjects = authObjectsOf(lookup);
  const { issuer, maxExpirationSeconds, extendExpiration } = options.serviceAccounts;
  const tokenOptions = { keys, issuer, audiences: [issuer], objects: authObjects, clock };
  const metrics = createMetrics(feed, registry);
  const authenticator = new Authenticator({ ...tokenOptions, onUse: (use) => metrics.tokenUsed(use) });
  const tokenIssuer = new TokenIssuer({ ...tokenOptions, maxExpirationSeconds, extendExpiration });
  const authorizer = authorizerOf(lookup);
  const access = new Access(authenticator, authorizer);

  const tell = eventTeller({ clock, log, registry, writer: () => writer });
  const admission = admissionChain(
    {
      ...{ lookup, authorizer, authObjects, clock },
      unserved: { foreign: options.foreign ?? [], tell },
    },
    options.admission,
  );
  const allocations = [new ServiceAllocation({ serviceCidr: options.serviceCidr, nodePorts, lookup, clock })];
  const writer: Writer = new Writer({ objects, admission, allocations, clock });
  const resources = new ResourceHandlers({
    ...{ objects, writer, admission, feed, clock, stop: stop.signal },
    mayCreate: ({ user, info, query }) => access.check({ ...attributesOf(user, info, query), verb: 'create' }),
  });
  const kubelets = new KubeletClient(options.kubeletClient, lookup);

  const notUpgraded: Handler = () => {
    throw badRequest('Upgrade request required');
  };
  const proxied = proxyHandler(resources, kubelets);
  const bindPod: Handler = (ctx) => bind(objects, clock, ctx);
  const special = new Map<string, Handler>([
    ...reviewHandlers({ authenticator, authorizer, now: () => clock.now() }),
    ['*/scale', scaleHandler(resources, writer, clock)],
    [specialKey('', 'pods', 'binding'), bindPod],
    [specialKey('', 'bindings'), bindPod],
    [specialKey('', 'pods', 'eviction'), evictionHandler({ resources, objects, lookup, clock })],
    [specialKey('', 'pods', 'log'), logHandler(resources, kubelets)],
    ...['exec', 'attach', 'portforward'].map((name): [string, Handler] => [specialKey('', 'pods', name), notUpgraded]),
    ...['pods', 'services', 'nodes'].map((name): [string, Handler] => [specialKey('', name, 'proxy'), proxied]),
    [
      specialKey('', 'serviceaccounts', 'token'),
      tokenHandler({ lookup, issuer: tokenIssuer, admission, fresh: () => feed.fresh(), now: () => clock.now() }),
    ],
  ]);

  const bootstrap = { objects, writer };
  for (const object of baseObjects) await ensureExists(bootstrap, object);
  await reconcilePolicy(bootstrap);
  await publishClientCa(bootstrap, String(tls.clientCa), options.frontProxyCa);

  const advertised = `${options.advertiseAddress}:${options.listen.port}`;
  const discovery = new Discovery(registry, advertised, gitVersion);
  const paths = {
    discovery,
    problems: () => storeProblems(store),
    metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
    openidConfiguration: () => tokenIssuer.openidConfiguration(`https://${advertised}`),
    jwks: () => tokenIssuer.jwks(),
  };
  const flow = new FlowControl({ clock, inflight: options.inflight, onReject: (level, why) => metrics.flow.rejected(level, why) });
  metrics.flow.follow(flow);
  const { app, address } = await listenHttps({
    listen: options.listen,
    tls,
    access,
    flow,
    workOf: ({ info }) => workOf(feed, registry, info),
    clock,
    log,
    serve: (ctx) => route({ resources, special, path: (c) => servePath(paths, c) }, ctx),
    upgrade: (req, socket, head) =>
      void serveUpgrade(
        {
          ...{ access, resources, admission, kubelets, log, stop: stop.signal },
          begin: ({ user, info }, connection) => beginConnection(flow, flowOf(user, info), connection),
        },
        req,
        socket,
        head,
      ),
    observe: (request) => metrics.observe(request),
  });
  const service = { serviceCidr: options.serviceCidr, advertiseAddress: options.advertiseAddress, port: address.port };
  await reconcileKubernetesService(bootstrap, service).catch((err: unknown) =>
    log.warn('cannot write default/kubernetes, trying again', { error: messageOf(err) }),
  );
  const caches = ['services', 'endpoints', 'endpointslices'].map((name) => feed.cache(name));
  const background = { clock, log, signal: stop.signal };
  const keeping = [
    keepKubernetesService(bootstrap, service, { caches, ...background }),
    keepIpAddresses(bootstrap, { lookup, ...background }),
    keepAggregatedRoles(bootstrap, { cache: feed.cache('clusterroles'), lookup, rbac: authorizer.rbac, ...background }),
  ];
  return {
    address: { host: address.address, port: address.port },
    metrics: metrics.registry,
    async close() {
      stop.abort();
      kubelets.close();
      await app.close();
      await Promise.all(keeping);
      await feed.close();
    },
  };
}

function portRangeOf(text: string): PortRange {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (from && to && range.from > 0 && range.from <= range.to && range.to <= 65_535) return range;
  throw new KnownError('BAD_CONFIG', `Cannot use "${text}" as the range of node ports: it is no range of ports`, {
    hint: 'Give it as 30000-32767',
  });
}

function workOf(feed: WatchFeed, registry: Registry, info: RequestInfo): Work {
  const stored = registry.rowOf(info.group, info.version, info.resource)?.storedAs;
  const cache = stored === undefined ? undefined : feed.find(stored);
  return { objects: cache?.size ?? 0, watchers: cache?.broadListeners ?? 0 };
}

/** The feed holds the objects of what is served. When a resource goes, its watches end, and those of its other versions begin anew. */
function holdObjects(feed: WatchFeed, registry: Registry): void {
  registry.follow({
    added: ({ storedAs }) => {
      if (storedAs !== undefined) feed.add(storedAs);
    },
    removed: ({ storedAs }) => {
      if (storedAs === undefined) return;
      feed.drop(storedAs);
      if (registry.stores(storedAs)) feed.add(storedAs);
    },
  });
}

async function storeProblems(store: Store): Promise<readonly string[]> {
  try {
    await store.revision();
    return [];
  } catch (err) {
    return [`store failed: ${messageOf(err)}`];
  }
}

function authObjectsOf(lookup: Lookup): AuthObjects {
  return {
    serviceAccount: (namespace, name) => lookup.get(serviceAccounts, name, namespace),
    pod: (namespace, name) => lookup.get(pods, name, namespace),
    secret: (namespace, name) => lookup.get(secrets, name, namespace),
    node: (name) => lookup.get(nodes, name),
  };
}

/** Its two indexes follow the caches. */
function authorizerOf(lookup: Lookup): Authorizer {
  const rbac = new RbacIndex();
  const graph = new NodeGraph();
  const rbacTypes = [clusterRoles, clusterRoleBindings, roles, roleBindings] as const;
  for (const type of rbacTypes) {
    lookup.follow(type as ResourceType, { put: (o) => rbac.put(o as RbacObject), delete: (o) => rbac.delete(o as RbacObject) });
  }
  lookup.follow(pods, { put: (pod) => graph.put(pod), delete: (pod) => graph.delete(pod) });
  return new Authorizer(rbac, graph);
}
