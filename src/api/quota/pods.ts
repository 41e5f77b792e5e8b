/** Pods, and what they request and are limited to. After pkg/quota/v1/evaluator/core/pods.go. */
import { type QosClass, qosClassOf } from '../defaults/qos-class.ts';
import type { Container, Pod, PodAffinityTerm, ScopedResourceSelectorRequirement } from '../schema/types.ts';
import { isNative } from '../validation/resource-name.ts';
import { type Amounts, added, amountsOf, one } from './amounts.ts';
import type { CountedWrite, Evaluator } from './evaluator.ts';
import { countedAmounts, hasPodLevelResources } from './pod-amounts.ts';
import { scopeHolds } from './scope-values.ts';

const compute: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];
const names: ReadonlySet<string> = new Set([
  ...['count/pods', 'pods'],
  ...compute.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
/** Where a quota has one of these, every container must say how much it wants. No other resource ever will: it was a mistake. */
const required: readonly string[] = ['cpu', 'memory'].flatMap((name) => [name, `limits.${name}`, `requests.${name}`]);
/** What a device class (KEP-5004) is asked for by. */
const devicePrefix = 'deviceclass.resource.kubernetes.io/';

export const podEvaluator: Evaluator = {
  handles,
  counts: (name) => names.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-') || isExtendedRequest(name),
  isIn: (scope, object) => isIn(scope, object as Pod),
  usage: (object, now) => {
    const pod = object as Pod;
    if (!isRunning(pod, now)) return { 'count/pods': one };
    return added({ 'count/pods': one }, asked(countedAmounts(pod, 'requests'), countedAmounts(pod, 'limits')));
  },
  lacks: (wanted, object) => lacks(wanted, object as Pod),
  frees: (object, previous, now) => {
    const [pod, old] = [object as Pod, previous as Pod];
    return isTerminating(pod) !== isTerminating(old) || (isRunning(old, now) && !isRunning(pod, now)) || resized(pod, old);
  },
};

function handles({ operation, subresource, object, old }: CountedWrite): boolean {
  if (subresource === 'resize') return operation === 'UPDATE';
  if (subresource !== '') return false;
  if (operation === 'UPDATE') return isTerminating(object as Pod) !== isTerminating(old as Pod);
  return operation === 'CREATE';
}

/** A pod that is to end by itself, not one that is being deleted. */
function isTerminating({ spec }: Pod): boolean {
  return (spec?.activeDeadlineSeconds ?? -1) >= 0;
}

/** One that has ended, or was to be gone by now and hangs on a node that is lost, holds nothing. */
function isRunning({ metadata, status }: Pod, now: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds: grace } = metadata;
  return deletionTimestamp === undefined || grace === undefined || now <= Date.parse(deletionTimestamp) + grace * 1000;
}

function resized({ status }: Pod, { status: before }: Pod): boolean {
  const of = (one: Pod['status']): Map<string, string> =>
    new Map([...(one?.containerStatuses ?? []), ...(one?.initContainerStatuses ?? [])].map((s) => [s.name, JSON.stringify(s.resources)]));
  const now = of(status);
  return [...of(before)].some(([name, text]) => now.has(name) && now.get(name) !== text);
}

/** What counts under which names. */
function asked(requests: Amounts, limits: Amounts): Amounts {
  const out: Record<string, Amounts[string]> = { pods: one };
  for (const [name, amount] of Object.entries(requests)) {
    const isCompute = compute.includes(name) || name.startsWith('hugepages-');
    if (isCompute) out[name] = amount;
    if (isCompute || isExtended(name)) out[`requests.${name}`] = amount;
  }
  for (const name of compute) if (limits[name]) out[`limits.${name}`] = limits[name];
  return out;
}

/** GPUs and the like: they are never promised twice, so only requests of them are counted. */
function isExtended(name: string): boolean {
  return name.startsWith(devicePrefix) || !(isNative(name) || name.startsWith('requests.'));
}

function isExtendedRequest(name: string): boolean {
  return name.startsWith('requests.') && (!isNative(name) || name.startsWith(`requests.${devicePrefix}`));
}

function lacks(wanted: readonly string[], { spec }: Pod): string | undefined {
  const all: readonly Container[] = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  if (!spec || hasPodLevelResources(spec)) return undefined;
  const missing = wanted
    .filter((name) => required.includes(name))
    .toSorted()
    .flatMap((name) => {
      const without = all.filter(({ resources }) => !(name in asked(amountsOf(resources?.requests), amountsOf(resources?.limits))));
      return without.length > 0 ? `${name} for: ${[...new Set(without.map((c) => c.name))].toSorted().join(',')}` : [];
    });
  return missing.length > 0 ? `must specify ${missing.join('; ')}` : undefined;
}

function isIn(scope: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (scope.scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return qosOf(pod) === 'BestEffort';
    case 'NotBestEffort':
      return qosOf(pod) !== 'BestEffort';
    case 'PriorityClass':
      return scopeHolds(scope, pod.spec?.priorityClassName || undefined);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
  }
  return false;
}

function qosOf({ spec, status }: Pod): QosClass | string {
  return status?.qosClass || (spec ? qosClassOf(spec) : 'BestEffort');
}

function crossesNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const terms = [podAffinity, podAntiAffinity].flatMap((one): PodAffinityTerm[] => [
    ...(one?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(one?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined);
}
