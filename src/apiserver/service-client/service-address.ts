/** From a reference to a Service to the address at which the API server dials it. */
import { endpointSlices, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Lookup } from '../cache/lookup.ts';

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
}

/** Throws SERVICE_UNREACHABLE. */
export async function serviceAddress(lookup: Lookup, ref: ServiceReference): Promise<ServiceAddress> {
  const { namespace, name, port } = ref;
  const service = await lookup.find(services, name, namespace);
  if (!service)
    throw unreachable(ref, `service "${name}" not found`, `Make the Service "${namespace}/${name}", or correct the reference to it`);
  const { type = 'ClusterIP', clusterIP, externalName = '' } = service.spec ?? {};
  if (type === 'ExternalName') return { host: externalName, port };
  const found = service.spec?.ports?.find((one) => one.port === port);
  if (!found)
    throw unreachable(
      ref,
      `no service port ${port} found for service "${name}"`,
      `Give the Service that port, or name one of ${portsOf(service)}`,
    );
  // This server may be on a machine without a proxy, and what it looks for is itself.
  const isOwn = namespace === 'default' && name === 'kubernetes';
  if (!isOwn && clusterIP && clusterIP !== 'None') return { host: clusterIP, port };
  return endpointOf(lookup.list(endpointSlices, namespace), ref, found.name ?? '', service.spec?.ipFamilies?.[0]);
}

/** Any of the ready ones, of the Service's first family if it has such. */
function endpointOf(slices: readonly EndpointSlice[], ref: ServiceReference, portName: string, family: string | undefined): ServiceAddress {
  const own = slices.filter((slice) => slice.metadata.labels?.[labelServiceName] === ref.name);
  for (const group of [own.filter((slice) => slice.addressType === family), own]) {
    const ready = group.flatMap(({ ports = [], endpoints = [] }) => {
      const port = ports.find((one) => (one.name ?? '') === portName)?.port;
      return endpoints.flatMap(({ addresses: [host], conditions }) =>
        host !== undefined && port !== undefined && conditions?.ready !== false ? [{ host, port }] : [],
      );
    });
    const chosen = ready[Math.floor(Math.random() * ready.length)];
    if (chosen) return chosen;
  }
  const why = `no endpoints available for service "${ref.name}"`;
  throw unreachable(ref, why, `See why none of its pods is ready: kubectl -n ${ref.namespace} describe service ${ref.name}`);
}

function portsOf({ spec }: Service): string {
  return (spec?.ports ?? []).map(({ port }) => port).join(', ') || 'those that it has (it has none)';
}

function unreachable({ namespace, name }: ServiceReference, why: string, hint: string): KnownError {
  return new KnownError('SERVICE_UNREACHABLE', `Cannot reach service "${namespace}/${name}": ${why}`, { hint });
}
