/**
 * The ServiceCIDR `kubernetes`, the range that the server was started with, and
 * `default/kubernetes`: how pods find the API servers. The Service has the first address of the range; its endpoints are written here,
 * because no selector could find a server that is no pod: those of all servers whose lease lives (upstream's lease endpoint reconciler). Put
 * right again when somebody changes or deletes them, and when a server comes or goes.
 */
import { cloneJson } from '../../api/codec/json-clone.ts';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import { type KubeObject, serviceCidrs } from '../../api/resource-types.ts';
import type { EndpointSlice, Endpoints, Service, ServiceCIDR } from '../../api/schema/types.ts';
import { labelServiceName, labelSkipMirror } from '../../api/well-known.ts';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf, mustCidr, nthIp } from '../../ip/ip.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import { type Background, type EnsureDeps, ensure, ensureExists, ownWrite } from './ensure.ts';
import type { ServerAddress, ServerLeases } from './server-leases.ts';

const checkMs = 10_000;

/** So long a server that ends waits for the store to forget it. */
const leaveMs = 2_000;

interface KubernetesServiceOptions {
  readonly serviceCidrs: readonly string[];
  readonly advertiseAddress: string;
  readonly port: number;
  readonly leases: ServerLeases;
}

function kubernetesObjects(
  o: KubernetesServiceOptions,
  servers: readonly ServerAddress[],
): {
  service: Service;
  endpoints: Endpoints;
  slice: EndpointSlice;
} {
  // All have one port, or the first one's is taken: whoever writes them must write the same.
  const ports = [{ name: 'https', port: servers[0]?.port ?? o.port, protocol: 'TCP' as const }];
  const ips = servers.map(({ ip }) => ip);
  const meta = { name: 'kubernetes', namespace: 'default' };
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...meta, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: nthIp(mustCidr(o.serviceCidrs[0]!), 1),
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: o.port }],
    },
  };
  const endpoints: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...meta, labels: { [labelSkipMirror]: 'true' } },
    subsets: [{ addresses: ips.map((ip) => ({ ip })), ports }],
  };
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta, labels: { [labelServiceName]: 'kubernetes' } },
    addressType: familyOf(o.advertiseAddress) === 4 ? 'IPv4' : 'IPv6',
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    ports,
  };
  return { service, endpoints, slice };
}

/** Created once and never changed: one that says something else was made under another flag (upstream's defaultservicecidr). */
async function ensureServiceCidr(deps: EnsureDeps, cidrs: string[]): Promise<void> {
  const object: ServiceCIDR = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  };
  await ensureExists(deps, object);
  const row = deps.objects.registry.rowFor(serviceCidrs);
  const { name } = object.metadata;
  const there = (await deps.objects.lookup(row, '', name))?.object as KubeObject as ServiceCIDR | undefined;
  if (!there || there.metadata.deletionTimestamp || there.spec?.cidrs?.join() !== cidrs.join()) return;
  if (there.status?.conditions?.some((c) => c.type === 'Ready')) return;
  const ready = { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes default Service CIDR is ready' };
  const part = subresourceOf(row, 'status');
  await deps.writer.update(
    { row, namespace: '', name, part: part?.kind === 'part' ? part : undefined },
    (now) =>
      ({ ...cloneJson(now), status: { conditions: [{ ...ready, lastTransitionTime: now.metadata.creationTimestamp }] } }) as KubeObject,
    ownWrite(),
  );
}

export async function reconcileKubernetesService(deps: EnsureDeps, options: KubernetesServiceOptions): Promise<void> {
  await ensureServiceCidr(
    deps,
    options.serviceCidrs.map((text) => mustCidr(text).text),
  );
  const { leases, advertiseAddress, port } = options;
  await leases.renew({ ip: advertiseAddress, port });
  await writeEndpoints(deps, options);
}

/** Those of every server that lives; without any they stay as they are: better an old address than none. */
async function writeEndpoints(deps: EnsureDeps, options: KubernetesServiceOptions): Promise<void> {
  const family = familyOf(options.advertiseAddress);
  const servers = (await options.leases.list()).filter(({ ip }) => familyOf(ip) === family);
  if (servers.length === 0) return;
  const { service, endpoints, slice } = kubernetesObjects(options, servers);
  await ensure(
    deps,
    service,
    (current) => ({ ...current, spec: { ...(current as Service).spec, ports: service.spec?.ports } }) as KubeObject,
  );
  await ensure(
    deps,
    endpoints,
    (current) => ({ ...current, metadata: labelled(current, endpoints), subsets: endpoints.subsets }) as KubeObject,
  );
  await ensure(
    deps,
    slice,
    (current) => ({ ...current, metadata: labelled(current, slice), endpoints: slice.endpoints, ports: slice.ports }) as KubeObject,
  );
}

function labelled(current: KubeObject, wanted: KubeObject): KubeObject['metadata'] {
  return { ...current.metadata, labels: { ...current.metadata.labels, ...wanted.metadata.labels } };
}

/**
 * Until the signal aborts, and this server is told of no more: looks now and then, and at once when one of them is deleted (`kubectl delete all --all` does that): no pod
 * finds the server meanwhile. `caches` are those of services, endpoints and endpointslices.
 */
export async function keepKubernetesService(
  deps: EnsureDeps,
  options: KubernetesServiceOptions,
  context: Background & { readonly caches: readonly ResourceCache[] },
): Promise<void> {
  const { caches, clock, log, signal } = context;
  let woken = Promise.withResolvers<void>();
  for (const cache of caches) {
    const key = `${cache.prefix}default/kubernetes`;
    cache.listen({
      onEvents: (events) => {
        if (events.some((e) => !e.current && e.previous?.key === key)) woken.resolve();
      },
      onReset: () => woken.resolve(),
    });
  }
  const following = followServers(options.leases, () => woken.resolve(), context);
  while (!signal.aborted) {
    await Promise.race([clock.sleep(checkMs, signal).catch(() => {}), woken.promise]);
    if (signal.aborted) break;
    // Made before the work, so that a deletion in the midst of it is seen right after.
    woken = Promise.withResolvers();
    try {
      await reconcileKubernetesService(deps, options);
    } catch (err) {
      log.warn('cannot keep the endpoints of default/kubernetes', { error: messageOf(err) });
    }
  }
  await following;
  await Promise.race([leave(deps, options).catch(() => {}), clock.sleep(leaveMs)]);
}

/** Nobody is sent here any more. */
async function leave(deps: EnsureDeps, options: KubernetesServiceOptions): Promise<void> {
  await options.leases.remove(options.advertiseAddress);
  await writeEndpoints(deps, options);
}

async function followServers(leases: ServerLeases, tell: () => void, { clock, signal }: Background): Promise<void> {
  while (!signal.aborted) {
    await leases.follow(tell, signal).catch(() => {});
    await clock.sleep(checkMs, signal).catch(() => {});
  }
}
