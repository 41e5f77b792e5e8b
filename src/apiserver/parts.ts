/** What an API server is made of, from the store up: caches of what is stored, who may do what, and how things are written. */
import { readFile } from 'node:fs/promises';
import { clusterNamespace } from '../api/cluster-identity.ts';
import { Registry } from '../api/registry/registry.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  namespaces,
  nodes,
  persistentVolumes,
  pods,
  type ResourceType,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
} from '../api/resource-types.ts';
import { KnownError } from '../errors/known-error.ts';
import type { AdmissionChain } from './admission/admission.ts';
import { admissionChain } from './admission/chain.ts';
import { Aggregation } from './aggregation/aggregation.ts';
import { LocalServices } from './aggregation/local-services.ts';
import { AddressClaims } from './allocation/address-claims.ts';
import { Allocations } from './allocation/allocation.ts';
import { PortClaims } from './allocation/port-claims.ts';
import { ServiceAllocation } from './allocation/service-allocation.ts';
import type { PortRange } from './allocation/service-ports.ts';
import type { AuthObjects } from './auth/auth-objects.ts';
import { Authenticator } from './auth/authenticator.ts';
import { Authorizer } from './auth/authorizer.ts';
import { NodeGraph } from './auth/node-graph.ts';
import { RbacIndex, type RbacObject } from './auth/rbac-index.ts';
import { TokenIssuer } from './auth/token-issuer.ts';
import { loadTokenKeys, type TokenKeys } from './auth/token-keys.ts';
import { eventTeller } from './bootstrap/server-events.ts';
import { Lookup } from './cache/lookup.ts';
import { WatchFeed } from './cache/watch-feed.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { attributesOf, RequestAuth } from './http/access.ts';
import { KubeletClient } from './kubelet/kubelet-client.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { ApiServerOptions } from './options.ts';
import { Deleter } from './resource/deleter.ts';
import { ObjectStore } from './resource/object-store.ts';
import { ResourceHandlers } from './resource/resource-handlers.ts';
import { Writer } from './resource/writer.ts';
import { ServiceClient } from './service-client/service-client.ts';
import { WebhookCaller } from './webhook/webhook-caller.ts';

/** What is stored, and what of it is served. */
interface Caches {
  readonly registry: Registry;
  readonly feed: WatchFeed;
  readonly lookup: Lookup;
  readonly objects: ObjectStore;
  readonly metrics: Metrics;
  close(): Promise<void>;
}

interface Auth {
  readonly authObjects: AuthObjects;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly tokenIssuer: TokenIssuer;
  readonly access: RequestAuth;
}

export interface Parts extends Caches, Auth {
  readonly options: ApiServerOptions;
  readonly admission: AdmissionChain;
  readonly serviceAllocation: ServiceAllocation;
  readonly writer: Writer;
  readonly deleter: Deleter;
  readonly custom: CustomResources;
  readonly resources: ResourceHandlers;
  readonly kubelets: KubeletClient;
  /** To what runs in the cluster. */
  readonly serviceClient: ServiceClient;
  readonly aggregation: Aggregation;
  readonly localServices: LocalServices;
  /** Aborts when the server closes. */
  readonly stop: AbortSignal;
}

/** Resolves when everything that is stored has been read. Throws BAD_CONFIG. */
export async function partsOf(options: ApiServerOptions, stop: AbortSignal): Promise<Parts> {
  const { clock, log } = options;
  const nodePorts = portRangeOf(options.nodePortRange);
  const keys = await readTokenKeys(options.serviceAccounts.keyFiles);
  const caches = await openCaches(options);
  const { registry, feed, lookup, objects, metrics } = caches;
  const auth = authOf(options, keys, lookup, metrics);
  const tell = eventTeller({ clock, log, registry, writer: () => writer });
  const serviceClient = new ServiceClient(lookup);
  const webhooks = new WebhookCaller(serviceClient);
  const unserved = { foreign: options.foreign ?? [], tell };
  const admission = admissionChain({ ...auth, lookup, objects, registry, webhooks, clock, log, unserved }, options.admission);
  const { store, serviceCidrs } = options;
  const addressClaims = new AddressClaims({ store, objects, lookup, clock });
  const claims = { addresses: addressClaims, ports: new PortClaims(store) };
  const serviceAllocation = new ServiceAllocation({ serviceCidrs, nodePorts, lookup, feed, claims, clock });
  const allocations = new Allocations([serviceAllocation]);
  const writer: Writer = new Writer({ objects, admission, allocations, clock });
  const deleter = new Deleter({ objects, admission, allocations, clock });
  const localServices = new LocalServices({ registry, lookup, writer, deleter, clock, log, signal: stop });
  const custom = new CustomResources({ registry, lookup, feed, writer, deleter, webhooks, clock, log, signal: stop });
  custom.follow();
  localServices.follow();
  const resources = new ResourceHandlers({
    ...{ objects, writer, deleter, feed, clock, stop },
    cluster: () => lookup.get(namespaces, clusterNamespace)?.metadata.uid,
    mayCreate: ({ user, info, query }) => auth.access.check({ ...attributesOf(user, info, query), verb: 'create' }),
  });
  const kubelets = new KubeletClient(options.kubeletClient, lookup);
  const proxyClient = options.proxyClient ?? {};
  const aggregation = new Aggregation({ registry, lookup, writer, client: serviceClient, proxyClient, clock, log, signal: stop });
  aggregation.follow();
  const served = { resources, kubelets, serviceClient, aggregation, localServices };
  return { options, ...caches, ...auth, admission, serviceAllocation, writer, deleter, custom, ...served, stop };
}

async function readTokenKeys(files: readonly string[]): Promise<TokenKeys> {
  const [signing, ...verifying] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  if (signing === undefined)
    throw new KnownError('BAD_CONFIG', 'Cannot start the API server: no key to sign ServiceAccount tokens with', {
      hint: 'Name the file of a private key first',
    });
  return loadTokenKeys({ signing, verifying });
}

async function openCaches({ store, clock, log, registry = new Registry() }: ApiServerOptions): Promise<Caches> {
  const feed = new WatchFeed({ store, clock, log });
  const unfollow = holdObjects(feed, registry);
  await feed.start();
  return {
    registry,
    feed,
    lookup: new Lookup(feed, registry),
    objects: new ObjectStore(store, feed, registry),
    metrics: createMetrics(feed, registry),
    close: () => {
      unfollow();
      return feed.close();
    },
  };
}

/** The feed holds the objects of what is served. When a resource goes, its watches end, and those of its other versions begin anew. */
function holdObjects(feed: WatchFeed, registry: Registry): () => void {
  return registry.follow({
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

function authOf({ serviceAccounts: given, clock }: ApiServerOptions, keys: TokenKeys, lookup: Lookup, metrics: Metrics): Auth {
  const { issuer, maxExpirationSeconds, extendExpiration } = given;
  const authObjects = authObjectsOf(lookup);
  const tokenOptions = { keys, issuer, audiences: [issuer], objects: authObjects, clock };
  const authenticator = new Authenticator({ ...tokenOptions, onUse: (use) => metrics.tokenUsed(use) });
  const authorizer = authorizerOf(lookup);
  return {
    ...{ authObjects, authenticator, authorizer },
    tokenIssuer: new TokenIssuer({ ...tokenOptions, maxExpirationSeconds, extendExpiration }),
    access: new RequestAuth(authenticator, authorizer),
  };
}

function authObjectsOf(lookup: Lookup): AuthObjects {
  return {
    serviceAccount: (namespace, name) => lookup.get(serviceAccounts, name, namespace),
    pod: (namespace, name) => lookup.get(pods, name, namespace),
    secret: (namespace, name) => lookup.get(secrets, name, namespace),
    node: (name) => lookup.get(nodes, name),
    fresh: () => lookup.fresh(),
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
  lookup.follow(persistentVolumes, { put: (volume) => graph.putVolume(volume), delete: (volume) => graph.deleteVolume(volume) });
  return new Authorizer(rbac, graph);
}

function portRangeOf(text: string): PortRange {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (from && to && range.from > 0 && range.from <= range.to && range.to <= 65_535) return range;
  throw new KnownError('BAD_CONFIG', `Cannot use "${text}" as the range of node ports: it is no range of ports`, {
    hint: 'Give it as 30000-32767',
  });
}
