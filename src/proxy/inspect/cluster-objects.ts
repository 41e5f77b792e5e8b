/** The objects that rules come from, at one moment: listed once from an API server, or read from manifests. */
import { parseAllDocuments } from 'yaml';
import { defaultEndpointSlice } from '../../api/defaults/core.ts';
import { defaultService } from '../../api/defaults/service.ts';
import { objectKey } from '../../api/object-key.ts';
import {
  daemonSets,
  deployments,
  endpointSlices,
  type KubeObject,
  nodes,
  pods,
  replicaSets,
  serviceCidrs,
  services,
  statefulSets,
} from '../../api/resource-types.ts';
import type { EndpointSlice, Node, Pod, Service, ServiceCIDR } from '../../api/schema/types.ts';
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';

export interface ClusterObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly serviceCidrs: readonly ServiceCIDR[];
  /** The API server's URL. */
  readonly server?: string;
}

/** What makes pods, as far as Services select them: a Deployment, for example. */
export type Workload = KubeObject & {
  readonly spec?: { readonly template?: { readonly metadata?: { readonly labels?: Record<string, string> } } };
};

/** What manifests may have beside: what the cluster would make endpoints of. */
export interface ManifestObjects extends ClusterObjects {
  readonly pods: readonly Pod[];
  readonly workloads: readonly Workload[];
}

const workloadKinds = [deployments, replicaSets, statefulSets, daemonSets].map(({ kind }) => kind);

/** Throws as the client does. */
export async function listObjects(client: Client, signal?: AbortSignal): Promise<ClusterObjects> {
  const options = signal ? { signal } : {};
  const [foundServices, slices, foundNodes, cidrs] = await Promise.all([
    client.list(services, options),
    client.list(endpointSlices, options),
    client.list(nodes, options),
    // API servers before 1.33 may have none, and older roles do not allow reading them.
    client.list(serviceCidrs, options).catch((err: unknown) => {
      if (isNotFound(err) || isForbidden(err)) return { items: [] };
      throw err;
    }),
  ]);
  return {
    services: foundServices.items,
    slices: slices.items,
    nodes: foundNodes.items,
    serviceCidrs: cidrs.items,
    server: client.server,
  };
}

export interface Manifest {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

type Given = KubeObject & { items?: Given[]; spec?: object; status?: object };

function documentsOf({ name, text }: Manifest): Given[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw unreadable(name, messageOf(error).split('\n')[0] ?? '');
    const object = document.toJS() as Given | null;
    if (object === null) return [];
    if (typeof object !== 'object' || typeof object.kind !== 'string')
      throw unreadable(name, 'it holds something that is no object of Kubernetes');
    return object.kind.endsWith('List') && object.items ? object.items : [object];
  });
}

function unreadable(name: string, why: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot read manifest "${name}": ${why}`, {
    hint: 'It takes YAML or JSON, such as "kubectl get services,endpointslices,nodes -A -o yaml" prints',
  });
}

/**
 * Of an object that comes twice, the later fields of `spec` and `status` hold: so one file may have what a user applies, and another what the
 * cluster makes of it. Kinds that say nothing of rules are passed over. Throws BAD_CONFIG.
 */
export function readManifests(manifests: readonly Manifest[]): ManifestObjects {
  const found = new Map<string, Given>();
  const namespaced = new Set<string>([services.kind, endpointSlices.kind, pods.kind, ...workloadKinds]);
  for (const object of manifests.flatMap(documentsOf)) {
    const namespace = namespaced.has(object.kind) ? { namespace: object.metadata?.namespace ?? 'default' } : {};
    const given = { ...object, metadata: { ...object.metadata, ...namespace } };
    const key = `${given.kind} ${objectKey(given)}`;
    const before = found.get(key);
    const merged = { ...before, ...given, spec: { ...before?.spec, ...given.spec }, status: { ...before?.status, ...given.status } };
    found.set(key, merged);
  }
  const of = <T extends KubeObject>(kind: string): T[] => [...found.values()].filter((one) => one.kind === kind) as unknown as T[];
  const foundServices = of<Service>(services.kind);
  const slices = of<EndpointSlice>(endpointSlices.kind);
  // No API server has filled in what was left out.
  for (const service of foundServices) defaultService(service);
  for (const slice of slices) defaultEndpointSlice(slice);
  return {
    services: foundServices,
    slices,
    nodes: of(nodes.kind),
    serviceCidrs: of(serviceCidrs.kind),
    pods: of(pods.kind),
    workloads: workloadKinds.flatMap((kind) => of<Workload>(kind)),
  };
}
