/** The Node object and its status as this kubelet sees them. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { ContainerImage, Node, NodeAddress, NodeCondition, NodeStatus, Taint } from '../../api/schema/types.ts';
import { labelArchBeta, labelArchStable, labelHostname, labelOSBeta, labelOSStable } from '../../api/well-known.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { Machine, Pressure } from './capacity.ts';

export interface NodeIdentity {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly port: number;
  readonly machine: Machine;
}

export interface NodeFindings {
  readonly runtimeVersion: string;
  readonly images: readonly ContainerImage[];
  readonly pressure: Pressure;
  /** Why the node is not ready; empty when it is. */
  readonly problems: readonly string[];
}

export function ownLabels({ nodeName, machine, labels }: NodeIdentity): Record<string, string> {
  const { architecture, operatingSystem } = machine.info;
  return {
    [labelArchBeta]: architecture,
    [labelOSBeta]: operatingSystem,
    [labelArchStable]: architecture,
    [labelHostname]: nodeName,
    [labelOSStable]: operatingSystem,
    ...labels,
  };
}

export function newNode(identity: NodeIdentity, status: NodeStatus): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: identity.nodeName,
      labels: ownLabels(identity),
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: identity.taints.length > 0 ? { taints: [...identity.taints] } : {},
    status,
  };
}

export function nodeStatus(identity: NodeIdentity, findings: NodeFindings, previous: readonly NodeCondition[], now: number): NodeStatus {
  const { machine, nodeName, nodeIps, port } = identity;
  const addresses: NodeAddress[] = [
    ...nodeIps.map((address) => ({ type: 'InternalIP', address })),
    { type: 'Hostname', address: nodeName },
  ];
  return {
    capacity: { ...machine.capacity },
    allocatable: allocatableOf(machine),
    conditions: conditions(findings, previous, now),
    addresses,
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: { ...machine.info, containerRuntimeVersion: findings.runtimeVersion },
    images: [...findings.images],
  };
}

/** What pods may use: everything but the memory below which the node is under pressure. */
export function allocatableOf(machine: Machine): Record<string, string> {
  const reservedKi = 100 * 1024;
  return { ...machine.capacity, memory: `${Math.max(0, Math.floor(machine.memoryBytes / 1024) - reservedKi)}Ki` };
}

function conditions({ pressure, problems }: NodeFindings, previous: readonly NodeCondition[], now: number): NodeCondition[] {
  const when = timestamp(now);
  const condition = (type: string, status: boolean, reason: string, message: string): NodeCondition => {
    const text = status ? 'True' : 'False';
    const old = previous.find((c) => c.type === type);
    const since = old?.status === text && old.lastTransitionTime ? old.lastTransitionTime : when;
    return { type, status: text, lastHeartbeatTime: when, lastTransitionTime: since, reason, message };
  };
  return [
    pressure.memory
      ? condition('MemoryPressure', true, 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available')
      : condition('MemoryPressure', false, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    pressure.disk
      ? condition('DiskPressure', true, 'KubeletHasDiskPressure', 'kubelet has disk pressure')
      : condition('DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    pressure.pids
      ? condition('PIDPressure', true, 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available')
      : condition('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    problems.length === 0
      ? condition('Ready', true, 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', false, 'KubeletNotReady', problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`),
  ];
}

/** Whether two statuses differ in more than the time they were made. */
export function differs(a: NodeStatus, b: NodeStatus): boolean {
  const still = (s: NodeStatus): NodeStatus => ({ ...s, conditions: (s.conditions ?? []).map((c) => ({ ...c, lastHeartbeatTime: '' })) });
  return !isDeepStrictEqual(still(a), still(b));
}
