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

function requests(container: Container): Record<string, number> {
  return amountsOf(container.resources?.requests ?? container.resources?.limits);
}

/**
 * The greater of what the containers ask for together and what any init container asks for. An init container that
 * restarts always (a sidecar, KEP-753) runs on, so it counts with the containers and with the init containers after it.
 */
export function podRequests(pod: Pod): Amounts {
  const total: Record<string, number> = {};
  for (const container of pod.spec?.containers ?? []) add(total, requests(container));
  const sidecars: Record<string, number> = {};
  const init: Record<string, number> = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const own = requests(container);
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
const UNSTATED_MILLI_CPU = 100;
const UNSTATED_BYTES = 200 * 1024 * 1024;

/** cpu and memory for scoring: every container counts for something. */
export function scoringRequests(pod: Pod): { readonly cpu: number; readonly memory: number } {
  let cpu = 0;
  let memory = 0;
  for (const container of pod.spec?.containers ?? []) {
    const own = requests(container);
    cpu += own.cpu ?? UNSTATED_MILLI_CPU;
    memory += own.memory ?? UNSTATED_BYTES;
  }
  return { cpu, memory };
}
