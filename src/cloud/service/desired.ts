/** Which Services want a load balancer, which change of one matters to it, and which nodes it may lead to: pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Node, Service } from '../../api/schema/types.ts';
import { labelNodeExcludeBalancers, loadBalancerCleanupFinalizer } from '../../api/well-known.ts';
import type { EventText } from '../../client/event-recorder.ts';

/** Of the cluster autoscaler, which is about to take the node away. */
const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler';

export function hasFinalizer({ metadata }: Service): boolean {
  return metadata.finalizers?.includes(loadBalancerCleanupFinalizer) ?? false;
}

/** Whether it wants one of ours: Services of another class are another controller's. */
export function wantsLoadBalancer({ spec, metadata }: Service, ownClass: string | undefined): boolean {
  return spec?.type === 'LoadBalancer' && spec.loadBalancerClass === ownClass && !metadata.deletionTimestamp;
}

/** Whether it has what nobody but us takes away. The class is lost with the type, so that any finalizer of the kind may be ours, as upstream has it. */
export function needsCleanUp(service: Service): boolean {
  const { spec, metadata } = service;
  return hasFinalizer(service) && (metadata.deletionTimestamp !== undefined || spec?.type !== 'LoadBalancer');
}

/** What of a Service a load balancer depends on; `own` are annotations that it gave itself. */
export function fingerprintOf({ spec, metadata }: Service, own: readonly string[]): object {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => !own.includes(key));
  const { clusterIP: _address, clusterIPs: _addresses, ...rest } = spec ?? {};
  return { uid: metadata.uid, labels: metadata.labels ?? {}, annotations: Object.fromEntries(annotations), spec: rest };
}

const told = [
  ['Type', 'type'],
  ['LoadBalancerSourceRanges', 'loadBalancerSourceRanges'],
  ['LoadbalancerIP', 'loadBalancerIP'],
  ['ExternalTrafficPolicy', 'externalTrafficPolicy'],
  ['HealthCheckNodePort', 'healthCheckNodePort'],
] as const;

/** The events by which upstream tells what has changed of a Service with a load balancer. */
export function changeEvents(service: Service, previous: Service): EventText[] {
  return told.flatMap(([reason, field]) => {
    const [now, before] = [service.spec?.[field], previous.spec?.[field]];
    return isDeepStrictEqual(now, before) ? [] : [{ type: 'Normal', reason, message: `${goText(before)} -> ${goText(now)}` } as const];
  });
}

function goText(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value ?? '');
}

/** Whether a load balancer may lead to the node. Its readiness is no matter: a load balancer asks the nodes itself, and connections end in peace. */
export function isBalanced({ metadata, spec }: Node): boolean {
  const isLeaving = metadata.deletionTimestamp !== undefined || (spec?.taints ?? []).some(({ key }) => key === toBeDeletedTaint);
  return !isLeaving && !Object.hasOwn(metadata.labels ?? {}, labelNodeExcludeBalancers);
}
