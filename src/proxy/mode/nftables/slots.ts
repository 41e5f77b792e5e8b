/**
 * The endpoints of a list in numbered slots, since rules choose among them by a number: drawn, counted, or made from the client's address.
 * By a number that is drawn or counted each endpoint has one slot; a hash needs many (`shares.ts`), so that clients stay when the list
 * changes, and so do the fewest connections, whose weights are slots. Pure.
 */
import type { EndpointAddress, PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { equalShares, fewestFirst, fillSlots, heldShares, type Load, slotCount, weightedShares, widened } from '../shares.ts';

/** A slot is a number of 16 bits. */
const maxEndpoints = 65_536;

/** A port whose lists are in the order of slots, or have lists of slots beside them. */
export interface SlottedPort extends PortPlan {
  /** Where an endpoint may hold several slots, or none for now. Absent: each holds the one of its place. */
  readonly shared?: { readonly cluster: readonly EndpointAddress[]; readonly local: readonly EndpointAddress[] };
}

export interface SlottedPlan extends ServicePlan {
  readonly ports: readonly SlottedPort[];
}

/** Who holds which slot of a list. */
export function slotsOf(port: SlottedPort, list: 'cluster' | 'local'): readonly EndpointAddress[] {
  return port.shared?.[list] ?? port[list];
}

/** The names of the endpoints that held the slots of a port's lists before. */
export type PreviousSlots = (port: PortPlan) => { readonly cluster: readonly string[]; readonly local: readonly string[] };

export const noSlots: PreviousSlots = () => ({ cluster: [], local: [] });

/** What was counted for a port; undefined before that. */
export type LoadOf = (port: PortPlan) => Load | undefined;

/** The plan with its lists in the order of slots, touching few of those that were held before. */
export function withSlots(plan: ServicePlan, previous: PreviousSlots, loadOf: LoadOf = () => undefined): SlottedPlan {
  const shares = plan.algorithm === 'source-hash' || plan.algorithm === 'least-connection';
  const ports = plan.ports.map((port): SlottedPort => {
    const held = previous(port);
    const slots = (list: 'cluster' | 'local'): readonly EndpointAddress[] =>
      port[list].length > 0 ? place(port[list], (names) => namesInSlots(plan.algorithm, held[list], names, loadOf(port))) : port[list];
    const lists = { cluster: slots('cluster'), local: slots('local') };
    return shares ? { ...port, shared: lists } : { ...port, ...lists };
  });
  return { ...plan, ports };
}

function place(list: readonly EndpointAddress[], inSlots: (names: ReadonlySet<string>) => readonly string[]): EndpointAddress[] {
  let byName = new Map(list.map((endpoint) => [endpoint.name, endpoint]));
  if (byName.size > maxEndpoints) byName = new Map([...byName].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, maxEndpoints));
  return inSlots(new Set(byName.keys())).flatMap((name) => byName.get(name) ?? []);
}

function namesInSlots(
  algorithm: ServicePlan['algorithm'],
  previous: readonly string[],
  names: ReadonlySet<string>,
  load: Load | undefined,
): readonly string[] {
  if (algorithm !== 'source-hash' && algorithm !== 'least-connection') return assignSlots(previous, names);
  const size = slotCount(names.size, previous.length);
  const slots = widened(previous, size);
  if (algorithm === 'source-hash') return fillSlots(slots, equalShares(names, slots, size));
  if (load) return fillSlots(slots, weightedShares(fewestFirst(names, load), size));
  // Until connections are counted, a second later, the weights hold that were there before a restart.
  const held = [...heldShares(slots, names).values()].reduce((a, b) => a + b, 0);
  return held === size ? slots : fillSlots(slots, equalShares(names, slots, size));
}

/**
 * Gives each wanted name a slot from 0 up without holes, keeping what held a slot before. Removing one name out of n
 * changes at most two slots; sorting would shift them all.
 */
export function assignSlots(previous: readonly string[], wanted: ReadonlySet<string>): string[] {
  const placed = new Set<string>();
  const slots: (string | undefined)[] = [];
  for (let slot = 0; slot < wanted.size; slot++) {
    const name = previous[slot];
    const keeps = name !== undefined && wanted.has(name) && !placed.has(name);
    if (keeps) placed.add(name);
    slots.push(keeps ? name : undefined);
  }
  if (placed.size === wanted.size) return slots as string[];
  const rest = [...wanted].filter((name) => !placed.has(name)).sort();
  let next = 0;
  return slots.map((name) => name ?? rest[next++] ?? '');
}
