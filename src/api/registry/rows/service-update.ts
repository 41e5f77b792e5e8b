/**
 * What an update of a Service means for the fields that hang together: those that were allocated stay, those that the new type has no use for go.
 * As upstream (pkg/registry/core/service, patchAllocatedValues, normalizeClusterIPs and dropTypeDependentFields).
 */
import { isDeepStrictEqual } from 'node:util';
import {
  isExternallyReachable,
  isLoadBalancer,
  mayHaveNodePorts,
  needsClusterIp,
  needsHealthCheckPort,
  needsNodePort,
} from '../../defaults/service.ts';
import type { Service, ServicePort, ServiceSpec } from '../../schema/types.ts';

export function prepareServiceUpdate(next: Service, old: Service): void {
  if (!next.spec || !old.spec) return;
  dropWhatTheTypeHasNoUseFor(next.spec, old.spec);
  if (!isLoadBalancer(next.spec)) next.status = { ...next.status, loadBalancer: {} };
}

/** Before its families are chosen, and before anything of it is checked. */
export function keepAllocated(next: ServiceSpec, old: ServiceSpec): void {
  keepAddressesAndPorts(next, old);
  followClusterIp(next, old);
}

/** What was allocated stays when the request leaves it out: a manifest that is applied again names no addresses. */
function keepAddressesAndPorts(next: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(next)) {
    next.clusterIP ||= old.clusterIP;
    if (!next.clusterIPs?.length && old.clusterIPs) next.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePort(old) && needsNodePort(next)) keepNodePorts(next.ports ?? [], old.ports ?? []);
  if (needsHealthCheckPort(old) && needsHealthCheckPort(next)) next.healthCheckNodePort ||= old.healthCheckNodePort;
}

/** A port is known by its name, whatever else of it has changed. */
function keepNodePorts(next: readonly ServicePort[], old: readonly ServicePort[]): void {
  const named = new Set(next.map(({ nodePort }) => nodePort));
  for (const port of next) {
    const before = old.find(({ name = '' }) => name === (port.name ?? ''))?.nodePort;
    if (!port.nodePort && before && !named.has(before)) port.nodePort = before;
  }
}

/** `clusterIP` is the first of `clusterIPs`. A client that knows only the old field changes only that one. */
function followClusterIp(next: ServiceSpec, old: ServiceSpec): void {
  if (next.clusterIP === old.clusterIP) {
    if (!next.clusterIPs?.length && old.clusterIPs) next.clusterIPs = [...old.clusterIPs];
  } else if (isSame(next.clusterIPs ?? [], old.clusterIPs ?? [])) {
    if (next.clusterIP) next.clusterIPs = [next.clusterIP];
    else delete next.clusterIPs;
  }
}

/**
 * A change of the type leaves fields behind that the new type may not have. A client that did not touch them meant to be
 * rid of them; one that did gets an error from validation.
 */
function dropWhatTheTypeHasNoUseFor(next: ServiceSpec, old: ServiceSpec): void {
  for (const { needs, same, drops } of typeBound) if (needs(old) && !needs(next) && same(next, old)) drops(next);
  dropInternalTrafficPolicy(next);
}

/** Upstream keeps it for an ExternalName, and never shows it. */
export function dropInternalTrafficPolicy(spec: ServiceSpec): void {
  if (spec.type === 'ExternalName') delete spec.internalTrafficPolicy;
}

interface TypeBound {
  /** Whether a Service has use for the fields. */
  readonly needs: (spec: ServiceSpec) => unknown;
  /** Whether the client did not touch them. */
  readonly same: (next: ServiceSpec, old: ServiceSpec) => boolean;
  readonly drops: (next: ServiceSpec) => void;
}

const typeBound: readonly TypeBound[] = [
  onlyWhile(needsClusterIp, 'clusterIP', 'clusterIPs'),
  onlyWhile(needsClusterIp, 'ipFamilies'),
  onlyWhile(needsClusterIp, 'ipFamilyPolicy'),
  {
    needs: mayHaveNodePorts,
    // Ports may come and go with the type, but who asks for another node port wants one.
    same: (next, old) => nodePortsOf(next).every((port) => nodePortsOf(old).includes(port)),
    drops: ({ ports = [] }) => {
      for (const port of ports) delete port.nodePort;
    },
  },
  onlyWhile(needsHealthCheckPort, 'healthCheckNodePort'),
  onlyWhile(isExternallyReachable, 'externalTrafficPolicy'),
  onlyWhile(isLoadBalancer, 'allocateLoadBalancerNodePorts'),
  onlyWhile(isLoadBalancer, 'loadBalancerClass'),
];

/** Fields that go together, when the client has touched none of them. */
function onlyWhile(needs: TypeBound['needs'], ...keys: readonly (keyof ServiceSpec)[]): TypeBound {
  return {
    needs,
    same: (next, old) => keys.every((key) => isSame(next[key], old[key])),
    drops: (next) => {
      for (const key of keys) delete next[key];
    },
  };
}

function isSame(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other);
}

function nodePortsOf(spec: ServiceSpec): number[] {
  return (spec.ports ?? []).flatMap(({ nodePort }) => nodePort || []);
}
