/**
 * What the proxy keeps of the objects that it watches: of ten thousand Services, what rules say nothing about would be half of the memory. Only for
 * informers that nobody else listens to. Pure.
 */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime, labelServiceName } from '../../api/well-known.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

export function slimService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = metadata;
  const { selector: _, ...said } = spec ?? {};
  // An Event about it says who it is.
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations },
    spec: said,
    status: { loadBalancer: status?.loadBalancer },
  };
}

/** Names of nodes, which many endpoints have in common: parsed from JSON, each would have its own copy. */
class Names {
  readonly #known = new Map<string, string>();

  of(name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= maxNames) this.#known.clear();
    this.#known.set(name, name);
    return name;
  }
}

/** More nodes than a cluster has. */
const maxNames = 20_000;
const names = new Names();

const settled = { ready: true, serving: true, terminating: false };

function slimEndpoint({ addresses, conditions, nodeName, hints }: Endpoint): Endpoint {
  const { ready, serving, terminating } = conditions ?? {};
  const isSettled = ready === true && serving === true && terminating === false;
  return {
    // The others are addresses of the same pod, which nobody is sent to.
    addresses: addresses.slice(0, 1),
    conditions: isSettled ? settled : conditions,
    nodeName: names.of(nodeName),
    hints,
  };
}

export function slimSlice({ apiVersion, kind, metadata, addressType, ports, endpoints }: EndpointSlice): EndpointSlice {
  const { name, namespace, uid, resourceVersion, labels, annotations } = metadata;
  const of = labels?.[labelServiceName];
  const trigger = annotations?.[endpointsLastChangeTriggerTime];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(of === undefined ? {} : { labels: { [labelServiceName]: of } }),
      ...(trigger === undefined ? {} : { annotations: { [endpointsLastChangeTriggerTime]: trigger } }),
    },
    addressType,
    ports,
    endpoints: endpoints?.map(slimEndpoint),
  };
}
