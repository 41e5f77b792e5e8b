/**
 * What the proxy keeps of the objects that it watches: of ten thousand Services, what rules say nothing about would be half of the memory. Only for
 * informers that nobody else listens to. Pure.
 */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime, isHeadlessService, labelServiceName } from '../../api/well-known.ts';
import { algorithmAnnotation } from '../plan/algorithm.ts';
import { proxyNameLabel } from '../plan/plan-service.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

/** What `kubectl apply` and helm write beside these is many times as long. */
const heededLabels = [proxyNameLabel, isHeadlessService];
const heededAnnotations = [algorithmAnnotation];

function only(texts: Readonly<Record<string, string>> | undefined, heeded: readonly string[]): Record<string, string> | undefined {
  const kept = heeded.flatMap((key) => (texts && key in texts ? [[key, texts[key] ?? ''] as const] : []));
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

export function slimService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = metadata;
  const { selector: _pods, ipFamilies: _families, ipFamilyPolicy: _policy, clusterIPs, ...said } = spec ?? {};
  const others = clusterIPs?.some((ip) => ip !== said.clusterIP) ? { clusterIPs } : {};
  // An Event about it says who it is.
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: shared(namespace),
      uid,
      resourceVersion,
      creationTimestamp,
      labels: only(labels, heededLabels),
      annotations: only(annotations, heededAnnotations),
    },
    spec: { ...said, ...others },
    status: status?.loadBalancer?.ingress ? { loadBalancer: status.loadBalancer } : undefined,
  };
}

/** Values that many objects have in common: parsed from JSON, each object would have its own. */
class Shared<T> {
  readonly #known = new Map<string, T>();

  of(key: string, make: () => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= mostShared) this.#known.clear();
    const value = make();
    this.#known.set(key, value);
    return value;
  }
}

/** More nodes than a cluster has. */
const mostShared = 20_000;
const names = new Shared<string>();
const states = new Shared<EndpointState>();

const shared = <T extends string | undefined>(name: T): T => (name === undefined ? name : (names.of(name, () => name) as T));

type EndpointState = Pick<Endpoint, 'conditions' | 'nodeName' | 'hints'>;

const settled = { ready: true, serving: true, terminating: false };

/** Of the endpoints of a node nearly all have the same. */
function stateOf({ conditions, nodeName, hints }: Endpoint): EndpointState {
  const { ready, serving, terminating } = conditions ?? {};
  const isSettled = ready === true && serving === true && terminating === false;
  if (isSettled && !hints) return states.of(nodeName ?? '', () => ({ conditions: settled, nodeName, hints }));
  return states.of(JSON.stringify([conditions, nodeName, hints]), () => ({ conditions, nodeName, hints }));
}

/** With one address: the others are of the same pod, and nobody is sent to them. Of 250,000 endpoints arrays of one would be 14 MB. */
class SlimEndpoint implements Endpoint {
  readonly #address: string | undefined;
  readonly #state: EndpointState;

  constructor(endpoint: Endpoint) {
    this.#address = endpoint.addresses?.[0];
    this.#state = stateOf(endpoint);
  }

  get addresses(): string[] {
    return this.#address === undefined ? [] : [this.#address];
  }

  get conditions(): Endpoint['conditions'] {
    return this.#state.conditions;
  }

  get nodeName(): Endpoint['nodeName'] {
    return this.#state.nodeName;
  }

  get hints(): Endpoint['hints'] {
    return this.#state.hints;
  }
}

export function slimSlice({ apiVersion, kind, metadata, addressType, ports, endpoints }: EndpointSlice): EndpointSlice {
  const { name, namespace, uid, resourceVersion, labels, annotations } = metadata;
  const of = labels?.[labelServiceName];
  const trigger = annotations?.[endpointsLastChangeTriggerTime];
  return {
    apiVersion: shared(apiVersion),
    kind: shared(kind),
    metadata: {
      name,
      namespace: shared(namespace),
      uid,
      resourceVersion,
      ...(of === undefined ? {} : { labels: { [labelServiceName]: of } }),
      ...(trigger === undefined ? {} : { annotations: { [endpointsLastChangeTriggerTime]: trigger } }),
    },
    addressType,
    ports,
    endpoints: endpoints?.map((endpoint) => new SlimEndpoint(endpoint)),
  };
}
