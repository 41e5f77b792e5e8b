/**
 * The endpoints of a list in numbered slots, since rules choose among them by a random number. Pure.
 */
import type { EndpointAddress, PortPlan, ServicePlan } from '../../plan/service-plan.ts';

/** A slot is a number of 16 bits. */
const maxEndpoints = 65_536;

/** The names of the endpoints that held the slots of a port's lists before. */
export type PreviousSlots = (port: PortPlan) => { readonly cluster: readonly string[]; readonly local: readonly string[] };

export const noSlots: PreviousSlots = () => ({ cluster: [], local: [] });

/** The plan with its lists in the order of slots, touching few of those that were held before. */
export function withSlots(plan: ServicePlan, previous: PreviousSlots): ServicePlan {
  const ports = plan.ports.map((port) => {
    const held = previous(port);
    return {
      ...port,
      cluster: port.cluster.length > 0 ? place(port.cluster, held.cluster) : port.cluster,
      local: port.local.length > 0 ? place(port.local, held.local) : port.local,
    };
  });
  return { ...plan, ports };
}

function place(list: readonly EndpointAddress[], previous: readonly string[]): EndpointAddress[] {
  let byName = new Map(list.map((endpoint) => [endpoint.name, endpoint]));
  if (byName.size > maxEndpoints) byName = new Map([...byName].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, maxEndpoints));
  return assignSlots(previous, byName).flatMap((name) => byName.get(name) ?? []);
}

/**
 * Gives each wanted name a slot from 0 up without holes, keeping what held a slot before. Removing one name out of n
 * changes at most two slots; sorting would shift them all.
 */
export function assignSlots(previous: readonly string[], wanted: ReadonlySet<string> | ReadonlyMap<string, unknown>): string[] {
  const placed = new Set<string>();
  const slots: (string | undefined)[] = [];
  for (let slot = 0; slot < wanted.size; slot++) {
    const name = previous[slot];
    const keeps = name !== undefined && wanted.has(name) && !placed.has(name);
    if (keeps) placed.add(name);
    slots.push(keeps ? name : undefined);
  }
  if (placed.size === wanted.size) return slots as string[];
  const rest = [...wanted.keys()].filter((name) => !placed.has(name)).sort();
  let next = 0;
  return slots.map((name) => name ?? rest[next++] ?? '');
}
