/** From ServicePlans to set elements, and from a change of a plan to the elements that it touches. Pure. */
import type { Elements } from '../../../linux/nftables/table.ts';
import {
  type EndpointAddress,
  type Frontend,
  frontendName,
  keepsFrontends,
  type PortPlan,
  type ServicePlan,
  type Target,
} from '../../plan/service-plan.ts';
import { fewOffset, fewSlots, learningChain, localOffset, type SetName, type SlotSet } from './layout.ts';
import { type SlottedPlan, type SlottedPort, slotsOf } from './slots.ts';
import { isOwnSource, sourceListOf } from './source-list.ts';

export interface Element {
  readonly set: SetName;
  readonly key: string;
  readonly data: string;
  /** What is in the set of the chain that it leads to. */
  readonly ranges?: readonly string[];
}

interface Front {
  readonly frontend: Frontend;
  readonly port: SlottedPort;
  /** `namespace/name`. */
  readonly service: string;
  readonly algorithm: ServicePlan['algorithm'];
}

/** The chain that spreads over the n slots of a list, or undefined for a target that is no list. */
function spread(target: Target, { frontend, port, service, algorithm }: Front): string | undefined {
  if (target !== 'cluster' && target !== 'local') return undefined;
  const kind = frontend.kind === 'node-port' ? 'nodeport-' : '';
  const how = algorithm === 'source-hash' ? 'hash-' : algorithm === 'round-robin' ? 'rr-' : '';
  // A rule counts for itself, whoever comes by it: two ports in turn would each see every other number.
  const own = algorithm === 'round-robin' ? `-${port.protocol}-${frontend.port}-${service}` : '';
  return `goto ${kind}${how}${target === 'cluster' ? 'lb' : 'local'}-${slotsOf(port, target).length}${own}`;
}

/**
 * Whether a frontend's few endpoints are looked up without an element that leads to a chain. Not of those that source ranges may shut out: such an element
 * goes before what shuts out, and a slot after it.
 */
function hasFew({ kind, inside, sources }: Frontend, port: SlottedPort, algorithm: ServicePlan['algorithm']): boolean {
  if (kind !== 'cluster-ip' || inside !== 'cluster' || sources) return false;
  return (algorithm ?? 'random') === 'random' && slotsOf(port, 'cluster').length <= fewSlots;
}

/** All slots of the few: one endpoint has both. */
function fewOf(port: SlottedPort | undefined): readonly EndpointAddress[] {
  const [first, second = first] = port ? slotsOf(port, 'cluster') : none;
  return first && second ? [first, second] : none;
}

/** The set of frontends that are addresses, and that of node ports. */
type Sets = readonly [onIp: SetName, onNodePort: SetName];

const verdicts: Sets = ['services', 'nodeports'];
const localVerdicts: Sets = ['local-services', 'local-nodeports'];
const unservedVerdicts: Sets = ['no-endpoint-services', 'no-endpoint-nodeports'];
const masquerades: Sets = ['masquerade-services', 'masquerade-nodeports'];
const affinities: Sets = ['affinity-services', 'affinity-nodeports'];
const recalls: Sets = ['recall-services', 'recall-nodeports'];

/** All elements of a frontend but its endpoints: few, however many those are. */
function frontendElements(front: Front, key: string): Element[] {
  const kind = front.frontend.kind === 'node-port' ? 1 : 0;
  const elements: Element[] = [...dispatch(front), ...treatment(front)].map(([sets, data]) => ({ set: sets[kind], key, data }));
  return [...elements, ...checks(front.frontend, key)];
}

/** Who may come. */
function* checks(frontend: Frontend, key: string): Generator<Element> {
  if (!frontend.sources) return;
  const list = sourceListOf(frontend);
  yield { set: 'source-checks', key, ...(list ? { data: `goto ${list.name}`, ranges: list.ranges } : { data: 'drop' }) };
  if (isOwnSource(frontend)) yield { set: 'own-sources', key: `${key} . ${frontend.ip}`, data: '' };
}

/** To which endpoints, or to which end. */
function* dispatch(front: Front): Generator<readonly [Sets, string]> {
  const { inside, outside, kind } = front.frontend;
  const inner = spread(inside, front);
  if (inner && !hasFew(front.frontend, front.port, front.algorithm)) yield [verdicts, inner];
  // `accept` leaves the packet as it is, for the check after DNAT to drop.
  if (outside !== inside) yield [localVerdicts, spread(outside, front) ?? 'accept'];
  const unserved = outside === 'refuse' || outside === 'drop' ? outside : inside;
  if (unserved === 'drop') yield [unservedVerdicts, 'drop'];
  // What is undefined on a cluster IP is refused anyway, so that needs no element.
  if (unserved === 'refuse' && kind !== 'cluster-ip') yield [unservedVerdicts, 'goto refuse'];
}

/** What else happens to a connection that reaches an endpoint. */
function* treatment({ frontend, port, service }: Front): Generator<readonly [Sets, string]> {
  const isServed = frontend.inside === 'cluster' || frontend.inside === 'local' || frontend.outside === 'local';
  if (!isServed) return;
  if (frontend.kind !== 'cluster-ip') yield [masquerades, frontend.masquerade === 'always' ? 'goto masq' : 'goto masq-node'];
  if (port.affinitySeconds === undefined) return;
  yield [affinities, `goto learn-${port.affinitySeconds}-${service}`];
  yield [recalls, `jump recall-${service}`];
}

const none: readonly EndpointAddress[] = [];

/** A list of endpoints that a frontend chooses from, by its first slot. */
type Lists = ReadonlyMap<number, readonly EndpointAddress[]>;

function listsOf(front: Front | undefined): Lists {
  const lists = new Map<number, readonly EndpointAddress[]>();
  if (!front) return lists;
  const { frontend, port, algorithm } = front;
  if (hasFew(frontend, port, algorithm)) lists.set(fewOffset, fewOf(port));
  else if (frontend.inside === 'cluster') lists.set(0, slotsOf(port, 'cluster'));
  if (frontend.inside === 'local' || frontend.outside === 'local') lists.set(localOffset, slotsOf(port, 'local'));
  return lists;
}

function frontsOf(plan: SlottedPlan | undefined): Map<string, Front> {
  const fronts = new Map<string, Front>();
  if (!plan) return fronts;
  const { key: service, algorithm } = plan;
  for (const port of plan.ports)
    for (const frontend of port.frontends) fronts.set(frontendName(frontend, port), { frontend, port, service, algorithm });
  return fronts;
}

/** Elements that Services may share: two of them may have one pod behind them, or affinity over one transport. */
function sharedElements(plan: ServicePlan | undefined): Map<string, Element> {
  const shared = new Map<string, Element>();
  if (plan?.clusterIp) shared.set(plan.clusterIp, { set: 'cluster-ips', key: plan.clusterIp, data: '' });
  for (const port of plan?.ports ?? []) for (const element of sharedOf(port)) shared.set(element.key, element);
  return shared;
}

function* sharedOf({ protocol, cluster, local, affinitySeconds }: PortPlan): Generator<Element> {
  for (const list of [cluster, local])
    for (const { ip, mayBeHere } of list) if (mayBeHere) yield { set: 'hairpin', key: `${ip} . ${ip}`, data: '' };
  if (affinitySeconds !== undefined) yield { set: 'learning', key: protocol, data: `jump ${learningChain(protocol)}` };
}

/** Told of every element that a change touches. */
export interface ElementChanges {
  gone(set: SetName, key: string): void;
  /** Also of elements that were there with the same data. */
  wanted(element: Element): void;
  /** Another endpoint is in a slot, the first or none any more. */
  slot(set: SlotSet, key: string, before: string | undefined, after: string | undefined): void;
  /** A Service takes (1) or lets go (-1) of an element that others may want too. */
  share(element: Element, step: 1 | -1): void;
}

/** What a Service's change from one plan to another means for elements. Of many endpoints it touches those that differ. */
export function changeElements(before: SlottedPlan | undefined, after: SlottedPlan | undefined, changes: ElementChanges): void {
  if (before && after && keepsElements(before, after)) {
    for (const [i, port] of after.ports.entries()) changePort(before.ports[i], port, after, changes);
    if (mayShare(before) || mayShare(after)) changeShared(before, after, changes);
    return;
  }
  const [had, has] = [frontsOf(before), frontsOf(after)];
  for (const [name, front] of had) if (!has.has(name)) changeFront(name, front, undefined, changes);
  for (const [name, front] of has) changeFront(name, had.get(name), front, changes);
  changeShared(before, after, changes);
}

/** Whether no element of its own can be another but those of slots: of most changes endpoints are all. */
function keepsElements(before: SlottedPlan, after: SlottedPlan): boolean {
  if (before.algorithm !== after.algorithm || before.clusterIp !== after.clusterIp || !keepsFrontends(before, after)) return false;
  return after.ports.every((port, i) => {
    const had = before.ports[i];
    if (port.protocol !== had?.protocol || port.affinitySeconds !== had.affinitySeconds) return false;
    return lists.every((list) => slotsOf(port, list).length === slotsOf(had, list).length);
  });
}

const lists = ['cluster', 'local'] as const;

/** Whether it shares elements that come and go with endpoints. */
function mayShare({ ports }: ServicePlan): boolean {
  return ports.some((port) => lists.some((list) => port[list].some((endpoint) => endpoint.mayBeHere)));
}

function changeShared(before: ServicePlan | undefined, after: ServicePlan | undefined, changes: ElementChanges): void {
  const [shared, shares] = [sharedElements(before), sharedElements(after)];
  for (const [key, element] of shared) if (!shares.has(key)) changes.share(element, -1);
  for (const [key, element] of shares) if (!shared.has(key)) changes.share(element, 1);
}

/** A port whose frontends are those that it had. */
function changePort(before: SlottedPort | undefined, after: SlottedPort, { algorithm }: SlottedPlan, changes: ElementChanges): void {
  const cluster = differing(before ? slotsOf(before, 'cluster') : none, slotsOf(after, 'cluster'));
  const local = differing(before ? slotsOf(before, 'local') : none, slotsOf(after, 'local'));
  if (cluster.length + local.length === 0) return;
  for (const frontend of after.frontends) {
    const [set, name] = [slotSetOf(frontend), frontendName(frontend, after)];
    if (hasFew(frontend, after, algorithm)) changeSlots(set, name, fewOffset, differing(fewOf(before), fewOf(after)), changes);
    else if (frontend.inside === 'cluster') changeSlots(set, name, 0, cluster, changes);
    if (frontend.inside === 'local' || frontend.outside === 'local') changeSlots(set, name, localOffset, local, changes);
  }
}

function changeFront(name: string, before: Front | undefined, after: Front | undefined, changes: ElementChanges): void {
  const now = after ? frontendElements(after, name) : [];
  for (const { set, key } of before ? frontendElements(before, name) : [])
    if (!now.some((e) => e.set === set && e.key === key)) changes.gone(set, key);
  for (const element of now) changes.wanted(element);
  const front = after ?? before;
  if (!front) return;
  const [set, had, has] = [slotSetOf(front.frontend), listsOf(before), listsOf(after)];
  for (const first of [0, localOffset, fewOffset])
    changeSlots(set, name, first, differing(had.get(first) ?? none, has.get(first) ?? none), changes);
}

function slotSetOf({ kind }: Frontend): SlotSet {
  return kind === 'node-port' ? 'nodeport-endpoints' : 'endpoints';
}

/** Who was in a slot of a list, and who is. */
interface SlotChange {
  readonly slot: number;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

function differing(before: readonly EndpointAddress[], after: readonly EndpointAddress[]): SlotChange[] {
  const slots: SlotChange[] = [];
  for (let slot = 0; slot < Math.max(before.length, after.length); slot++) {
    const [was, is] = [before[slot]?.name, after[slot]?.name];
    if (was !== is) slots.push({ slot, was, is });
  }
  return slots;
}

function changeSlots(set: SlotSet, name: string, offset: number, slots: readonly SlotChange[], changes: ElementChanges): void {
  for (const { slot, was, is } of slots) changes.slot(set, `${name} . ${slot + offset}`, was, is);
}

/**
 * All elements of a set of slots, made from the plans whenever they are asked for: they are most of a table, and nothing but a whole
 * comparison needs them together.
 */
export class SlotElements implements Elements {
  readonly #plans: ReadonlyMap<string, SlottedPlan>;
  readonly #set: SlotSet;
  #all: ReadonlyMap<string, string> | undefined;

  constructor(plans: ReadonlyMap<string, SlottedPlan>, set: SlotSet) {
    this.#plans = plans;
    this.#set = set;
  }

  *#lists(): Generator<readonly [frontend: string, offset: number, list: readonly EndpointAddress[]]> {
    for (const plan of this.#plans.values())
      for (const [name, front] of frontsOf(plan)) {
        if (slotSetOf(front.frontend) !== this.#set) continue;
        for (const [first, list] of listsOf(front)) yield [name, first, list];
      }
  }

  get size(): number {
    let size = 0;
    for (const [, , list] of this.#lists()) size += list.length;
    return size;
  }

  *entries(): MapIterator<[string, string]> {
    for (const [name, offset, list] of this.#lists())
      for (let slot = 0; slot < list.length; slot++) yield [`${name} . ${slot + offset}`, list[slot]?.name ?? ''];
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }

  get #map(): ReadonlyMap<string, string> {
    this.#all ??= new Map(this.entries());
    return this.#all;
  }

  get(key: string): string | undefined {
    return this.#map.get(key);
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  keys(): MapIterator<string> {
    return this.#map.keys();
  }

  values(): MapIterator<string> {
    return this.#map.values();
  }

  forEach(visit: (data: string, key: string, all: Elements) => void): void {
    for (const [key, data] of this) visit(data, key, this);
  }
}
