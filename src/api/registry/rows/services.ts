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
import type { ServiceSpec } from '../../schema/types.ts';
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
  if (needsClusterIp(old) && !needsClusterIp(next) && next.clusterIP === old.clusterIP) {
    delete next.clusterIP;
    delete next.clusterIPs;
    delete next.ipFamilies;
    delete next.ipFamilyPolicy;
    if (next.internalTrafficPolicy === old.internalTrafficPolicy) delete next.internalTrafficPolicy;
  }
  if (needsNodePort(old) && !needsNodePort(next) && isDeepStrictEqual(nodePortsOf(next), nodePortsOf(old))) {
    for (const port of next.ports ?? []) delete port.nodePort;
  }
  if (needsHealthCheckPort(old) && !needsHealthCheckPort(next) && next.healthCheckNodePort === old.healthCheckNodePort) {
    delete next.healthCheckNodePort;
  }
  if (isExternallyReachable(old) && !isExternallyReachable(next) && next.externalTrafficPolicy === old.externalTrafficPolicy) {
    delete next.externalTrafficPolicy;
  }
  if (old.type === 'LoadBalancer' && next.type !== 'LoadBalancer') {
    if (next.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts) delete next.allocateLoadBalancerNodePorts;
    if (next.loadBalancerClass === old.loadBalancerClass) delete next.loadBalancerClass;
  }
}

/** What was allocated stays when the request leaves it out: a manifest that is applied again names no addresses. */
function keepAllocated(next: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(next)) {
    if (!next.clusterIP) next.clusterIP = old.clusterIP;
    if (!next.clusterIPs?.length && old.clusterIPs && next.clusterIP === old.clusterIP) next.clusterIPs = [...old.clusterIPs];
    if (!next.ipFamilies?.length && old.ipFamilies) next.ipFamilies = [...old.ipFamilies];
    next.ipFamilyPolicy ??= old.ipFamilyPolicy;
  }
  if (needsNodePort(old) && needsNodePort(next)) {
    const used = new Set((next.ports ?? []).map((port) => `${port.protocol} ${port.nodePort}`));
    for (const port of next.ports ?? []) {
      if (port.nodePort) continue;
      const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol);
      if (before?.nodePort && !used.has(`${port.protocol} ${before.nodePort}`)) port.nodePort = before.nodePort;
    }
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(next)) next.healthCheckNodePort ||= old.healthCheckNodePort;
}

function nodePortsOf(spec: ServiceSpec): (number | undefined)[] {
  return (spec.ports ?? []).map((port) => port.nodePort);
}
