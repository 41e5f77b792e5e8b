/** Which endpoints of a list get how much, where that is not an equal chance for each. Pure. */
import { partsOf } from '../../../linux/iptables/rule.ts';
import type { EndpointAddress, PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { equalShares, fewestFirst, fillSlots, type Load } from '../shares.ts';
import { addressOf, chainsOf, portName } from './chain-names.ts';

/** The match `cluster` tells so many parts of all clients apart. Source: include/uapi/linux/netfilter/xt_cluster.h */
export const partsOfClients = 32;

export interface Placement {
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
}

export const nothingKnown: Known = { clients: () => [], load: () => undefined };

function placementOf(
  plan: ServicePlan,
  port: PortPlan,
  chain: string,
  list: readonly EndpointAddress[],
  known: Known,
): Placement | undefined {
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
  if (plan.algorithm !== 'source-hash' && plan.algorithm !== 'least-connection') return plan;
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
