/** What must change so that the kernel holds the desired network: steps in the order in which they are safe. Pure. */
import { cidrContains, familyOf, mustCidr } from '../../ip/ip.ts';
import { changeableOptions } from '../../linux/netlink/link.ts';
import type { DesiredLink, DesiredNeighbour, DesiredNetwork, DesiredRoute, KernelLink, KernelRoute, KernelState } from './network.ts';

export type Step =
  | DeleteLink
  | { readonly do: 'add-link'; readonly link: DesiredLink }
  | LinkChange
  | { readonly do: 'add-address' | 'delete-address'; readonly link: string; readonly ip: string; readonly prefix: number }
  | { readonly do: 'put-neighbour' | 'delete-neighbour'; readonly neighbour: DesiredNeighbour }
  | { readonly do: 'put-route'; readonly route: DesiredRoute }
  | { readonly do: 'delete-route'; readonly route: KernelRoute };

interface DeleteLink {
  readonly do: 'delete-link';
  readonly name: string;
}

/** Names only what differs. */
export interface LinkChange {
  readonly do: 'change-link';
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly kind?: Pick<DesiredLink['kind'], 'kind'>;
}

/** The mark (RTPROT_*) on routes of this agent, free in /etc/iproute2/rt_protos. */
export const routeProtocol = 70;
const RTPROT_KERNEL = 2;

export function diff(desired: DesiredNetwork, kernel: KernelState): Step[] {
  const state = ofFamily(desired, kernel);
  const links = desired.links.map((want) =>
    linkSteps(
      state.links.find((l) => l.name === want.name),
      want,
    ),
  );
  const left = afterwards(state, links.flat());
  const missing = missingRoutes(desired, left);
  const neighbours = neighbourSteps(desired, left);
  // Neighbours come before the routes that use them, and go after those that did: no packet meets half an entry.
  return [
    ...links.flat(),
    ...addressSteps(desired, left),
    ...staleRoutes(desired, state, new Set(missing.map(({ dst }) => dst))),
    ...neighbours.missing,
    ...missing.map((route): Step => ({ do: 'put-route', route })),
    ...neighbours.stale,
  ];
}

/** Flannel's names are ours: whoever of the two made them, they belong to a pod network. */
export const deviceName: RegExp = /^flannel(-v6)?\.\d+$/;

/** Devices of a pod network that nobody wants any more: of a backend that was before. */
export function leftLinks(links: readonly Pick<KernelLink, 'name'>[], wanted: ReadonlySet<string>): DeleteLink[] {
  return links.filter(({ name }) => deviceName.test(name) && !wanted.has(name)).map(({ name }) => ({ do: 'delete-link', name }));
}

/** The kernel's own: from it a node asks who has an address when it forwards a packet there (RFC 4861 needs one on every link). */
const linkLocal = mustCidr('fe80::/10');

/** The other family's addresses, routes and neighbours are nobody's business here. */
function ofFamily({ family }: DesiredNetwork, state: KernelState): KernelState {
  return {
    links: state.links,
    addresses: state.addresses.filter((a) => familyOf(a.ip) === family && !cidrContains(linkLocal, a.ip)),
    routes: state.routes.filter((r) => familyOf(r.dst) === family),
    neighbours: state.neighbours.filter((n) => familyOf(n.ip) === family),
  };
}

function linkSteps(has: KernelLink | undefined, want: DesiredLink): Step[] {
  if (!has) return [{ do: 'add-link', link: want }];
  const options = differingOptions(has.kind, want.kind);
  const isSame = has.kind.kind === want.kind.kind && has.parent === want.parent && options.every(([name]) => changeableOptions.has(name));
  if (!isSame)
    return [
      { do: 'delete-link', name: want.name },
      { do: 'add-link', link: want },
    ];
  const change = {
    ...(has.mac !== want.mac ? { mac: want.mac } : {}),
    ...(has.mtu !== want.mtu ? { mtu: want.mtu } : {}),
    ...(has.up ? {} : { up: true }),
    ...(options.length > 0 ? { kind: { kind: want.kind.kind, ...Object.fromEntries(options) } } : {}),
  };
  return Object.keys(change).length > 0 ? [{ do: 'change-link', name: want.name, ...change }] : [];
}

function differingOptions(has: object, want: object): [string, unknown][] {
  const before = new Map<string, unknown>(Object.entries(has));
  return Object.entries(want).filter(([name, value]) => before.get(name) !== value);
}

/** What is left after steps on links: the kernel drops a link's routes and neighbours while it is down, and its addresses when it is deleted. */
function afterwards(state: KernelState, steps: readonly Step[]): KernelState {
  const made = new Set(steps.map((s) => (s.do === 'add-link' ? s.link.name : undefined)));
  const raised = new Set(steps.map((s) => (s.do === 'change-link' && s.up ? s.name : undefined)));
  const stayed = ({ link }: { readonly link: string }): boolean => !made.has(link) && !raised.has(link);
  return {
    links: state.links,
    addresses: state.addresses.filter((a) => !made.has(a.link)),
    routes: state.routes.filter(stayed),
    neighbours: state.neighbours.filter(stayed),
  };
}

function addressSteps(desired: DesiredNetwork, state: KernelState): Step[] {
  return desired.links.flatMap(({ name, address }): Step[] => {
    const has = state.addresses.filter((a) => a.link === name);
    const others = has.filter((a) => a.ip !== address.ip || a.prefix !== address.prefix);
    return [
      ...others.map((a): Step => ({ do: 'delete-address', ...a })),
      ...(others.length === has.length ? [{ do: 'add-address', link: name, ...address } as const] : []),
    ];
  });
}

/**
 * Routes of ours that nobody wants; on an exclusive link all but the kernel's own, as flannel may have left some there. One that goes with its
 * link is among them: whoever takes the steps does not mind that it is gone. One in whose place another one is put stays until it is: the kernel
 * replaces it, by whatever link it leads, and no packet finds none.
 */
function staleRoutes(desired: DesiredNetwork, state: KernelState, replaced: ReadonlySet<string>): Step[] {
  const exclusive = exclusiveLinks(desired);
  const wanted = new Map(desired.routes.map((r) => [r.dst, r]));
  return state.routes
    .filter((r) => r.protocol === routeProtocol || (exclusive.has(r.link) && r.protocol !== RTPROT_KERNEL))
    .filter((r) => wanted.get(r.dst)?.link !== r.link && !replaced.has(r.dst))
    .map((route) => ({ do: 'delete-route', route }));
}

function missingRoutes(desired: DesiredNetwork, state: KernelState): DesiredRoute[] {
  const has = new Map(state.routes.map((r) => [`${r.dst} ${r.link}`, r]));
  return desired.routes.filter((want) => {
    const r = has.get(`${want.dst} ${want.link}`);
    return r?.gateway !== want.gateway || r.onlink !== want.onlink;
  });
}

function neighbourSteps(desired: DesiredNetwork, state: KernelState): { readonly missing: Step[]; readonly stale: Step[] } {
  const exclusive = exclusiveLinks(desired);
  const id = (n: DesiredNeighbour): string => `${n.kind} ${n.link} ${n.ip} ${n.mac}`;
  // A neighbour is found by its address, a forwarding entry by its MAC: those are taken over, not added beside.
  const slot = (n: DesiredNeighbour): string => `${n.kind} ${n.link} ${n.kind === 'fdb' ? n.mac : n.ip}`;
  const has = state.neighbours.filter((n) => exclusive.has(n.link));
  const known = new Set(has.map(id));
  const wantedSlots = new Set(desired.neighbours.map(slot));
  return {
    missing: desired.neighbours.filter((n) => !known.has(id(n))).map((neighbour) => ({ do: 'put-neighbour', neighbour })),
    stale: has.filter((n) => !wantedSlots.has(slot(n))).map((neighbour) => ({ do: 'delete-neighbour', neighbour })),
  };
}

function exclusiveLinks({ links }: DesiredNetwork): ReadonlySet<string> {
  return new Set(links.filter((l) => l.exclusive).map((l) => l.name));
}
