/**
 * What a pod asks for in all, exactly: the sum of its containers, or what an init container needs where that is more. A sidecar (KEP-753) counts with the
 * containers and with the init containers after it. What is asked for the pod as a whole (KEP-2837) stands for what its containers ask for.
 * After k8s.io/component-helpers/resource.
 */
import type { Container, ContainerStatus, Pod, PodSpec } from '../schema/types.ts';
import { type Amounts, addTo, amountsOf, raiseTo } from './amounts.ts';

type Side = 'requests' | 'limits';

/** As the specification alone has it, without what the RuntimeClass costs: what bounds of a LimitRange are about. */
export function specAmounts(spec: PodSpec, side: Side): Amounts {
  return total(spec, side, (container) => amountsOf(container.resources?.[side]));
}

/** As it is counted: a resize under way (KEP-1287) counts as much as the greater of what is asked and what there is. */
export function countedAmounts({ spec, status }: Pod, side: Side): Amounts {
  if (!spec) return {};
  const infeasible = (status?.conditions ?? []).some((c) => c.type === 'PodResizePending' && c.reason === 'Infeasible');
  const statuses = new Map([...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((s) => [s.name, s]));
  const out = { ...total(spec, side, (container) => effective(container, statuses.get(container.name), side, infeasible)) };
  const overhead = amountsOf(spec.overhead);
  for (const [name, amount] of Object.entries(overhead)) {
    // A pod without a limit has none for its overhead either.
    if (side === 'requests' || (out[name]?.nano ?? 0n) !== 0n) addTo(out, { [name]: amount });
  }
  return out;
}

export function hasPodLevelResources({ resources }: PodSpec): boolean {
  return Object.keys({ ...resources?.requests, ...resources?.limits }).some(isPodLevel);
}

function isPodLevel(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

function total(spec: PodSpec, side: Side, of: (container: Container) => Amounts): Amounts {
  const out: Record<string, Amounts[string]> = {};
  for (const container of spec.containers ?? []) addTo(out, of(container));
  const sidecars: typeof out = {};
  const init: typeof out = {};
  for (const container of spec.initContainers ?? []) {
    const own = of(container);
    if (container.restartPolicy === 'Always') {
      addTo(out, own);
      addTo(sidecars, own);
      raiseTo(init, sidecars);
    } else {
      const peak = { ...own };
      addTo(peak, sidecars);
      raiseTo(init, peak);
    }
  }
  raiseTo(out, init);
  for (const [name, amount] of Object.entries(amountsOf(spec.resources?.[side]))) if (isPodLevel(name)) out[name] = amount;
  return out;
}

function effective(container: Container, status: ContainerStatus | undefined, side: Side, infeasible: boolean): Amounts {
  const asked = amountsOf(container.resources?.[side]);
  if (!status?.resources) return asked;
  const out = infeasible ? {} : asked;
  raiseTo(out, amountsOf(status.resources[side]));
  if (side === 'requests') raiseTo(out, amountsOf(status.allocatedResources));
  return out;
}
