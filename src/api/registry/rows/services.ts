/** services and endpoints. */
import { isDeepStrictEqual } from 'node:util';
import { endpointsColumns, serviceColumns } from '../../columns/network-columns.ts';
import { defaultEndpoints } from '../../defaults/core.ts';
import {
  defaultFamilies,
  defaultService,
  isExternallyReachable,
  needsClusterIp,
  needsHealthCheckPort,
  needsNodePort,
} from '../../defaults/service.ts';
import { endpoints, services } from '../../resource-types.ts';
import type { ServicePort, ServiceSpec } from '../../schema/types.ts';
import { endpointsErrors } from '../../validation/endpoints.ts';
import { nameIsDns1035Label } from '../../validation/names.ts';
import { serviceErrors, serviceStatusErrors, serviceUpdateErrors } from '../../validation/service.ts';
import { serviceWarnings } from '../../warnings/other.ts';
import { defineRow, special } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const serviceRows: readonly ResourceRow[] = [
  defineRow({
    type: endpoints,
    deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    singular: 'endpoints',
    shortNames: ['ep'],
    createsOnUpdate: true,
    columns: endpointsColumns,
    applyDefaults: defaultEndpoints,
    validate: endpointsErrors,
  }),
  defineRow({
    type: services,
    shortNames: ['svc'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { loadBalancer: {} },
    generationOf: undefined,
    createsOnUpdate: true,
    subresources: [special('proxy', ['create', 'delete', 'get', 'patch', 'update'], 'v1', 'ServiceProxyOptions')],
    selectableFields: {
      'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
      'spec.type': ({ spec }) => spec?.type ?? '',
    },
    columns: serviceColumns,
    applyDefaults: defaultService,
    validateName: nameIsDns1035Label,
    warnings: serviceWarnings,
    validate: serviceErrors,
    validateUpdate: serviceUpdateErrors,
    validateStatus: serviceStatusErrors,
    prepareCreate: ({ spec }) => {
      if (!spec) return;
      if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
      defaultFamilies(spec);
    },
    prepareUpdate: (next, old) => {
      if (!next.spec || !old.spec) return;
      followClusterIp(next.spec, old.spec);
      dropWhatTheTypeHadNoUseFor(next.spec, old.spec);
      keepAllocated(next.spec, old.spec);
      defaultFamilies(next.spec);
    },
  }),
];

/** `clusterIP` is the first of `clusterIPs`. A client that knows only the old field changes only that one. */
function followClusterIp(next: ServiceSpec, old: ServiceSpec): void {
  if (next.clusterIP === old.clusterIP || !isDeepStrictEqual(next.clusterIPs, old.clusterIPs)) {
    if (next.clusterIP && !next.clusterIPs?.length && !old.clusterIPs?.length) next.clusterIPs = [next.clusterIP];
    return;
  }
  if (!next.clusterIP) delete next.clusterIPs;
  else next.clusterIPs = [next.clusterIP, ...(next.clusterIPs ?? []).slice(1)];
}

/**
 * A change of the type leaves fields behind that the new type may not have. A client that did not touch them meant to be
 * rid of them; one that did gets an error from validation.
 */
function dropWhatTheTypeHadNoUseFor(next: ServiceSpec, old: ServiceSpec): void {
  for (const { needs, same, drops } of typeBound) if (needs(old) && !needs(next) && same(next, old)) drops(next, old);
}

interface TypeBound {
  /** Whether a Service has use for the fields. */
  readonly needs: (spec: ServiceSpec) => unknown;
  /** Whether the client did not touch them. */
  readonly same: (next: ServiceSpec, old: ServiceSpec) => boolean;
  readonly drops: (next: ServiceSpec, old: ServiceSpec) => void;
}

const typeBound: readonly TypeBound[] = [
  {
    needs: needsClusterIp,
    same: (next, old) => next.clusterIP === old.clusterIP,
    drops: (next, old) => {
      for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) delete next[key];
      if (next.internalTrafficPolicy === old.internalTrafficPolicy) delete next.internalTrafficPolicy;
    },
  },
  {
    needs: needsNodePort,
    same: (next, old) => isDeepStrictEqual(nodePortsOf(next), nodePortsOf(old)),
    drops: ({ ports = [] }) => {
      for (const port of ports) delete port.nodePort;
    },
  },
  onlyWhile(needsHealthCheckPort, 'healthCheckNodePort'),
  onlyWhile(isExternallyReachable, 'externalTrafficPolicy'),
  onlyWhile(isLoadBalancer, 'allocateLoadBalancerNodePorts'),
  onlyWhile(isLoadBalancer, 'loadBalancerClass'),
];

function onlyWhile(needs: TypeBound['needs'], key: keyof ServiceSpec): TypeBound {
  return { needs, same: (next, old) => next[key] === old[key], drops: (next) => void delete next[key] };
}

function isLoadBalancer({ type }: ServiceSpec): boolean {
  return type === 'LoadBalancer';
}

/** What was allocated stays when the request leaves it out: a manifest that is applied again names no addresses. */
function keepAllocated(next: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(next)) keepClusterIps(next, old);
  if (needsNodePort(old) && needsNodePort(next)) keepNodePorts(next.ports ?? [], old.ports ?? []);
  if (needsHealthCheckPort(old) && needsHealthCheckPort(next)) next.healthCheckNodePort ||= old.healthCheckNodePort;
}

function keepClusterIps(next: ServiceSpec, old: ServiceSpec): void {
  if (!next.clusterIP) next.clusterIP = old.clusterIP;
  if (!next.clusterIPs?.length && old.clusterIPs && next.clusterIP === old.clusterIP) next.clusterIPs = [...old.clusterIPs];
  if (!next.ipFamilies?.length && old.ipFamilies) next.ipFamilies = [...old.ipFamilies];
  next.ipFamilyPolicy ??= old.ipFamilyPolicy;
}

function keepNodePorts(next: readonly ServicePort[], old: readonly ServicePort[]): void {
  const used = new Set(next.map((port) => `${port.protocol} ${port.nodePort}`));
  for (const port of next.filter((one) => !one.nodePort)) {
    const before = old.find((one) => one.port === port.port && one.protocol === port.protocol);
    if (before?.nodePort && !used.has(`${port.protocol} ${before.nodePort}`)) port.nodePort = before.nodePort;
  }
}

function nodePortsOf(spec: ServiceSpec): (number | undefined)[] {
  return (spec.ports ?? []).map((port) => port.nodePort);
}
