/** What must change so that the kernel holds the desired network: steps in the order in which they are safe. Pure. */
import type { DesiredLink, DesiredNeighbour, DesiredNetwork, DesiredRoute } from './desired.ts';

/** What the kernel holds, as far as it matters here. */
export interface KernelState {
  readonly links: readonly KernelLink[];
  readonly addresses: readonly { readonly link: string; readonly ip: string; readonly prefix: number }[];
  readonly routes: readonly KernelRoute[];
  readonly neighbours: readonly DesiredNeighbour[];
}

export interface KernelLink {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly kind: DesiredLink['kind'] | { readonly kind: 'other' };
}

export interface KernelRoute extends Omit<DesiredRoute, 'gateway'> {
  readonly gateway: string | undefined;
  /** RTPROT_*. */
  readonly protocol: number;
}

export type Step =
  | { readonly do: 'delete-link'; readonly name: string }
  | { readonly do: 'add-link'; readonly link: DesiredLink }
  | {
      readonly do: 'change-link';
      readonly name: string;
      readonly mac?: string;
      readonly mtu?: number;
      readonly up?: boolean;
      readonly learning?: boolean;
    }
  | { readonly do: 'add-address' | 'delete-address'; readonly link: string; readonly ip: string; readonly prefix: number }
  | { readonly do: 'put-neighbour' | 'delete-neighbour'; readonly neighbour: DesiredNeighbour }
  | { readonly do: 'put-route'; readonly route: DesiredRoute }
  | { readonly do: 'delete-route'; readonly route: KernelRoute };

/** The mark (RTPROT_*) on routes of this agent, free in /etc/iproute2/rt_protos. */
export const routeProtocol = 70;
const RTPROT_KERNEL = 2;

export function diff(desired: DesiredNetwork, state: KernelState): Step[] {
  // The kernel drops a link's routes and neighbours when it goes down, and its addresses only when it is deleted: what is listed of
  // a link that is made anew or comes up does not count.
  const made = new Set<string>();
  const fresh = new Set<string>();
  const links: Step[] = [];
  for (const want of desired.links) {
    const has = state.links.find((l) => l.name === want.name);
    if (!has || !sameKind(has.kind, want.kind)) {
      if (has) links.push({ do: 'delete-link', name: want.name });
      links.push({ do: 'add-link', link: want });
      made.add(want.name);
      fresh.add(want.name);
      continue;
    }
    const learning = want.kind.kind === 'vxlan' && has.kind.kind === 'vxlan' && has.kind.learning !== want.kind.learning;
    if (has.mac !== want.mac || has.mtu !== want.mtu || !has.up || learning) {
      links.push({
        do: 'change-link',
        name: want.name,
        ...(has.mac !== want.mac ? { mac: want.mac } : {}),
        ...(has.mtu !== want.mtu ? { mtu: want.mtu } : {}),
        ...(has.up ? {} : { up: true }),
        ...(learning && want.kind.kind === 'vxlan' ? { learning: want.kind.learning } : {}),
      });
      if (!has.up) fresh.add(want.name);
    }
  }
  // Stale routes go before the neighbours they use, new ones come after them: no packet meets half an entry.
  return [
    ...links,
    ...addressSteps(desired, state, made),
    ...staleRoutes(desired, state),
    ...neighbourSteps(desired, state, fresh),
    ...missingRoutes(desired, state, fresh),
  ];
}

function addressSteps(desired: DesiredNetwork, state: KernelState, made: ReadonlySet<string>): Step[] {
  const steps: Step[] = [];
  for (const { name, address } of desired.links) {
    const has = made.has(name) ? [] : state.addresses.filter((a) => a.link === name && !a.ip.includes(':'));
    for (const a of has) if (a.ip !== address.ip || a.prefix !== address.prefix) steps.push({ do: 'delete-address', ...a });
    if (!has.some((a) => a.ip === address.ip && a.prefix === address.prefix)) steps.push({ do: 'add-address', link: name, ...address });
  }
  return steps;
}

/** Routes of ours that nobody wants, and any on a VXLAN device but the kernel's own: flannel's, from before. One that went with its link is deleted already. */
function staleRoutes(desired: DesiredNetwork, state: KernelState): Step[] {
  const vxlans = new Set(desired.links.filter((l) => l.kind.kind === 'vxlan').map((l) => l.name));
  const wanted = new Map(desired.routes.map((r) => [r.dst, r]));
  return state.routes
    .filter((r) => !r.dst.includes(':'))
    .filter((r) => r.protocol === routeProtocol || (vxlans.has(r.link) && r.protocol !== RTPROT_KERNEL))
    .filter((r) => wanted.get(r.dst)?.link !== r.link)
    .map((route) => ({ do: 'delete-route', route }));
}

function missingRoutes(desired: DesiredNetwork, state: KernelState, fresh: ReadonlySet<string>): Step[] {
  const has = new Map(state.routes.filter((r) => !fresh.has(r.link)).map((r) => [`${r.dst} ${r.link}`, r]));
  return desired.routes
    .filter((want) => {
      const r = has.get(`${want.dst} ${want.link}`);
      return r?.gateway !== want.gateway || r.onlink !== want.onlink;
    })
    .map((route) => ({ do: 'put-route', route }));
}

function neighbourSteps(desired: DesiredNetwork, state: KernelState, fresh: ReadonlySet<string>): Step[] {
  const managed = new Set(desired.links.filter((l) => l.kind.kind === 'vxlan').map((l) => l.name));
  const id = (n: DesiredNeighbour): string => `${n.kind} ${n.link} ${n.ip} ${n.mac}`;
  // A neighbour is found by its address, a forwarding entry by its MAC: those are taken over, not added beside.
  const slot = (n: DesiredNeighbour): string => `${n.kind} ${n.link} ${n.kind === 'fdb' ? n.mac : n.ip}`;
  const has = state.neighbours.filter((n) => managed.has(n.link) && !fresh.has(n.link) && !n.ip.includes(':'));
  const known = new Set(has.map(id));
  const wantedSlots = new Set(desired.neighbours.map(slot));
  return [
    ...desired.neighbours.filter((n) => !known.has(id(n))).map((neighbour): Step => ({ do: 'put-neighbour', neighbour })),
    ...has.filter((n) => !wantedSlots.has(slot(n))).map((neighbour): Step => ({ do: 'delete-neighbour', neighbour })),
  ];
}

function sameKind(has: KernelLink['kind'], want: DesiredLink['kind']): boolean {
  if (has.kind === 'vxlan' && want.kind === 'vxlan') {
    return has.vni === want.vni && has.port === want.port && has.local === want.local && has.parent === want.parent;
  }
  return has.kind === want.kind;
}
