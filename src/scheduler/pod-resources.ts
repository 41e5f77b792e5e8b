/** What a pod asks for. https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ */
import { milli, value } from '../api/quantity/quantity.ts';
import type { Container, Pod } from '../api/schema/types.ts';

/** Amounts by resource name: cpu in thousandths of a core, everything else in units (bytes, pieces). */
export type Amounts = Readonly<Record<string, number>>;

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [name, quantity] of Object.entries(list ?? {})) out[name] = name === 'cpu' ? Number(milli(quantity)) : Number(value(quantity));
  return out;
}

function add(into: Record<string, number>, more: Amounts): void {
  for (const [name, amount] of Object.entries(more)) into[name] = (into[name] ?? 0) + amount;
}

function raise(into: Record<string, number>, least: Amounts): void {
  for (const [name, amount] of Object.entries(least)) into[name] = Math.max(into[name] ?? 0, amount);
}

/**
 * Requests of a container of the pod. While a resize is under way (KEP-1287) the node must have room for what it has and for what it is to
 * get; what the node will never have does not count.
 */
function requests(pod: Pod, container: Container): Record<string, number> {
  const { containerStatuses = [], initContainerStatuses = [], conditions = [] } = pod.status ?? {};
  const asked = container.resources?.requests ?? container.resources?.limits;
  const status = asked && [...containerStatuses, ...initContainerStatuses].find((s) => s.name === container.name);
  if (!status?.resources) return amountsOf(asked);
  const out = amountsOf(status.resources.requests);
  raise(out, amountsOf(status.allocatedResources));
  if (!conditions.some((c) => c.type === 'PodResizePending' && c.reason === 'Infeasible')) raise(out, amountsOf(asked));
  return out;
}

/**
 * The greater of what the containers ask for together and what any init container asks for. An init container that
 * restarts always (a sidecar, KEP-753) runs on, so it counts with the containers and with the init containers after it.
 */
export function podRequests(pod: Pod): Amounts {
  const total: Record<string, number> = {};
  for (const container of pod.spec?.containers ?? []) add(total, requests(pod, container));
  const sidecars: Record<string, number> = {};
  const init: Record<string, number> = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const own = requests(pod, container);
    if (container.restartPolicy === 'Always') {
      add(sidecars, own);
      raise(init, sidecars);
    } else {
      const peak = { ...sidecars };
      add(peak, own);
      raise(init, peak);
    }
  }
  add(total, sidecars);
  raise(total, init);
  add(total, amountsOf(pod.spec?.overhead));
  return total;
}

/** What scoring takes a container without requests for, so that such pods spread too. */
const unstatedMilliCpu = 100;
const unstatedBytes = 200 * 1024 * 1024;

/** cpu and memory for scoring: every container counts for something. */
export function scoringRequests(pod: Pod): { readonly cpu: number; readonly memory: number } {
  let cpu = 0;
  let memory = 0;
  for (const container of pod.spec?.containers ?? []) {
    const own = requests(pod, container);
    cpu += own.cpu ?? unstatedMilliCpu;
    memory += own.memory ?? unstatedBytes;
  }
  return { cpu, memory };
}
