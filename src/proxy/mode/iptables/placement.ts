/** Which endpoints of a list get how much, where that is not an equal chance for each. Pure. */
import { partsOf } from '../../../linux/iptables/rule.ts';
import type { EndpointAddress, PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { equalShares, fewestFirst, fillSlots, type Load } from '../shares.ts';
import { addressOf, chainsOf, portName } from './chain-names.ts';

/** The match `cluster` tells so many parts of all clients apart. Source: include/uapi/linux/netfilter/xt_cluster.h */
export const partsOfClients = 32;

/** Of more endpoints than these the order is kept: the tools write one rule of a long chain, and not all. */
export const manyEndpoints = 256;

export interface Placement {
  /** In which order addresses are chosen from. Absent: sorted. */
  readonly order?: readonly string[];
  /** Whose each part of the clients is, by address. Absent for more endpoints than parts. */
  readonly clients?: readonly string[];
  /** By address; who has none gets no new connection. */
  readonly weights?: ReadonlyMap<string, number>;
}

/** A plan with the placements of its chains that have any. */
export type PlacedPlan = ServicePlan & { readonly placed?: ReadonlyMap<string, Placement> };

/** What is known from before. */
export interface Known {
  /** Whose the parts of the clients were, of a chain. */
  clients(chain: string): readonly string[];
  load(port: PortPlan): Load | undefined;
  /** The addresses of a chain in their order. */
  order(chain: string): readonly string[];
}

export const nothingKnown: Known = { clients: () => [], load: () => undefined, order: () => [] };

/** The order of addresses in a chain, as it was written. */
export function orderOf(plan: PlacedPlan, chain: string): readonly string[] {
  const order = plan.placed?.get(chain)?.order;
  if (order) return order;
  for (const port of plan.ports) {
    const { cluster, local } = chainsOf(portName(plan, port), port.protocol);
    if (chain === cluster || chain === local) return (chain === cluster ? port.cluster : port.local).map(addressOf).sort();
  }
  return [];
}

/**
 * The addresses in an order that keeps as many places as can be, seen from the end: those that come take the places of those that went, or come in front. Where
 * there are fewer, those in front take the places of those that went.
 */
function keptOrder(before: readonly string[], addresses: readonly string[]): readonly string[] {
  const missing = new Set(addresses);
  // One that is there twice takes one place.
  const held = before.map((address) => (missing.delete(address) ? address : undefined));
  const shift = addresses.length - held.length;
  const fillers = [...held.slice(0, Math.max(0, -shift)).filter((address) => address !== undefined), ...missing];
  let used = Math.max(0, shift);
  const rest = held.slice(Math.max(0, -shift)).map((address) => address ?? fillers[used++] ?? '');
  return [...fillers.slice(0, Math.max(0, shift)), ...rest];
}

const isChosenByPlace = ({ algorithm }: ServicePlan): boolean => algorithm !== 'source-hash' && algorithm !== 'least-connection';

function orderFor(list: readonly EndpointAddress[], before: readonly string[]): Placement | undefined {
  const addresses = [...new Set(list.map(addressOf))].sort();
  if (addresses.length <= manyEndpoints || addresses.length < list.length) return undefined;
  return { order: keptOrder(before, addresses) };
}

function placementOf(
  plan: ServicePlan,
  port: PortPlan,
  chain: string,
  list: readonly EndpointAddress[],
  known: Known,
): Placement | undefined {
  if (isChosenByPlace(plan)) return list.length > manyEndpoints ? orderFor(list, known.order(chain)) : undefined;
  if (plan.algorithm === 'source-hash' && list.length > 0 && list.length <= partsOfClients) {
    const addresses = list.map(addressOf).sort();
    const before = known.clients(chain);
    return { clients: fillSlots(before, equalShares(addresses, before, partsOfClients)) };
  }
  const load = plan.algorithm === 'least-connection' ? known.load(port) : undefined;
  if (!load) return undefined;
  const weights = fewestFirst(
    list.map(({ name }) => name),
    load,
  );
  return { weights: new Map(list.map((endpoint) => [addressOf(endpoint), weights.get(endpoint.name) ?? 0])) };
}

/** Of the clients only those change their endpoint whose endpoint went, or who make room for one that came. */
export function place(plan: ServicePlan, known: Known): PlacedPlan {
  if (isChosenByPlace(plan) && !plan.ports.some(({ cluster, local }) => Math.max(cluster.length, local.length) > manyEndpoints))
    return plan;
  const placed = new Map<string, Placement>();
  for (const port of plan.ports) {
    const names = chainsOf(portName(plan, port), port.protocol);
    for (const [chain, list] of [
      [names.cluster, port.cluster],
      [names.local, port.local],
    ] as const) {
      const placement = placementOf(plan, port, chain, list, known);
      if (placement) placed.set(chain, placement);
    }
  }
  return { ...plan, placed };
}

/** The addresses of a Service by the names of their chains. */
export function endpointChains(plan: ServicePlan): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const port of plan.ports) {
    const { endpoint } = chainsOf(portName(plan, port), port.protocol);
    for (const one of [...port.cluster, ...port.local]) addresses.set(endpoint(addressOf(one)), addressOf(one));
  }
  return addresses;
}

/** Whose the parts of the clients are by the rules of a chain; '' for whose endpoint is none of these. */
export function heldClients(rules: readonly string[], chainToAddress: ReadonlyMap<string, string>): string[] {
  const clients: string[] = [];
  for (const rule of rules) {
    const { matches, target } = partsOf(rule);
    const address = chainToAddress.get(target?.name ?? '');
    const cluster = matches.find(({ name }) => name === 'cluster')?.options;
    if (address === undefined || matches.some(({ name }) => name === 'recent')) continue;
    // The last rule takes what no other has.
    if (!cluster) return Array.from({ length: partsOfClients }, (_, part) => clients[part] ?? address);
    const part = Number(cluster.get('--cluster-local-node') ?? Math.log2(Number(cluster.get('--cluster-local-nodemask'))) + 1);
    clients[part - 1] = address;
  }
  return Array.from({ length: partsOfClients }, (_, part) => clients[part] ?? '');
}

/** The addresses to which the rules of a chain lead by choice, in their order. */
export function heldOrder(rules: readonly string[], chainToAddress: ReadonlyMap<string, string>): string[] {
  const order: string[] = [];
  for (const rule of rules) {
    const address = chainToAddress.get(/-j (KUBE-SEP-\S+)$/.exec(rule)?.[1] ?? '');
    if (address !== undefined && !rule.includes('-m recent ')) order.push(address);
  }
  return order;
}

/** The match for a part of the clients. Of more parts in one rule the kernel would know; iptables 1.8.9 does not take the mask that says so. */
function clientsMatch(part: number, parts: number, seed: number): string {
  return `-m cluster --cluster-local-node ${part + 1} --cluster-total-nodes ${parts} --cluster-hash-seed 0x0000000${seed} `;
}

/** By the place of an endpoint in its list, where there are more endpoints than parts: first one of 32 groups, then one of the group. */
function grouped(index: number, count: number): string {
  const group = index % partsOfClients;
  const size = Math.ceil((count - group) / partsOfClients);
  const within = size > 1 ? clientsMatch(Math.floor(index / partsOfClients), size, 1) : '';
  return `${clientsMatch(group, partsOfClients, 0)}${within}`;
}

/** A step of a chain: what must hold, with a space behind, and where it leads. */
export interface Step {
  readonly match: string;
  readonly address: string;
}

/** The addresses are sorted. The last step holds for whoever came so far. */
export function hashSteps(addresses: readonly string[], clients: readonly string[] | undefined): Step[] {
  const [only = ''] = addresses;
  if (addresses.length === 1) return [{ match: '', address: only }];
  const steps = clients
    ? clients.map((address, part): Step => ({ match: clientsMatch(part, partsOfClients, 0), address }))
    : addresses.map((address, i): Step => ({ match: grouped(i, addresses.length), address }));
  return steps.map((step, i) => (i === steps.length - 1 ? { ...step, match: '' } : step));
}
