/** What a Node gets of what the cloud knows of its machine: pure. */
import type { Node, NodeAddress, Taint } from '../../api/schema/types.ts';
import {
  labelFailureDomainBetaRegion,
  labelFailureDomainBetaZone,
  labelInstanceType,
  labelInstanceTypeStable,
  labelTopologyRegion,
  labelTopologyZone,
  taintExternalCloudProvider,
  taintNodeShutdown,
} from '../../api/well-known.ts';
import type { InstanceMetadata } from '../provider.ts';

export function isUninitialized({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(({ key }) => key === taintExternalCloudProvider);
}

/** The patch that initialises a Node: all at once, so that no pod comes to one that is half known. */
export function initialPatch(node: Node, known: InstanceMetadata): object {
  const { providerID, instanceType, zone, region } = known;
  const labels: Record<string, string> = {
    ...(instanceType ? { [labelInstanceType]: instanceType, [labelInstanceTypeStable]: instanceType } : {}),
    ...(zone ? { [labelTopologyZone]: zone, [labelFailureDomainBetaZone]: zone } : {}),
    ...(region ? { [labelTopologyRegion]: region, [labelFailureDomainBetaRegion]: region } : {}),
  };
  return {
    metadata: { resourceVersion: node.metadata.resourceVersion, labels },
    spec: { ...(node.spec?.providerID ? {} : { providerID }), taints: withoutTaint(node, taintExternalCloudProvider) },
  };
}

function withoutTaint({ spec }: Node, key: string): Taint[] | null {
  const others = (spec?.taints ?? []).filter((taint) => taint.key !== key);
  return others.length > 0 ? others : null;
}

/** The taints of a Node whose machine is switched off or not; undefined when they are right. */
export function shutdownTaints(node: Node, isShutDown: boolean): Taint[] | null | undefined {
  const has = (node.spec?.taints ?? []).some(({ key }) => key === taintNodeShutdown);
  if (has === isShutDown) return undefined;
  return isShutDown
    ? [...(node.spec?.taints ?? []), { key: taintNodeShutdown, effect: 'NoSchedule' }]
    : withoutTaint(node, taintNodeShutdown);
}

/** The addresses of a Node as the cloud tells them, with the host name that its kubelet told; undefined when they are right. */
export function changedAddresses({ status }: Node, known: readonly NodeAddress[]): NodeAddress[] | undefined {
  const present = status?.addresses ?? [];
  const hostname = present.filter(({ type }) => type === 'Hostname' && !known.some((one) => one.type === 'Hostname'));
  const wanted = [...known, ...hostname];
  const textOf = (list: readonly NodeAddress[]): string => list.map(({ type, address }) => `${type} ${address}`).join();
  return textOf(wanted) === textOf(present) ? undefined : wanted;
}

export function isReady({ status }: Node): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');
}
