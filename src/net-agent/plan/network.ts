/** The pod network of one node as plain data: what it should be, and what the kernel holds. Links are named, never numbered. */
import type { Family } from '../../ip/ip.ts';
import type { Bridge, Vxlan } from '../../linux/netlink/link.ts';
import type { Chain } from '../../linux/nftables/table.ts';

export interface DesiredLink {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly address: { readonly ip: string; readonly prefix: number };
  /** What kind of link it is, with what only its kind has. */
  readonly kind: Bridge | Vxlan;
  /** The link on which it lies. */
  readonly parent?: string;
  /** Routes and permanent neighbours on it are this agent's alone: others are taken away. */
  readonly exclusive: boolean;
}

export interface DesiredRoute {
  readonly dst: string;
  readonly link: string;
  readonly gateway: string;
  readonly onlink: boolean;
}

/** `neighbour`: which MAC an address has. `fdb`: behind which node a MAC is. */
export interface DesiredNeighbour {
  readonly kind: 'neighbour' | 'fdb';
  readonly link: string;
  readonly ip: string;
  readonly mac: string;
}

export interface DesiredNetwork {
  /** Of pods' addresses. What the links have of the other family is left alone. */
  readonly family: Family;
  readonly links: readonly DesiredLink[];
  readonly routes: readonly DesiredRoute[];
  readonly neighbours: readonly DesiredNeighbour[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Chains of the table of the pod network (plan/rules.ts). */
  readonly chains: readonly Chain[];
}

/** The node's own link to the other nodes. */
export interface Underlay {
  readonly name: string;
  readonly mtu: number;
  readonly ip: string;
  readonly prefix: number;
}

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
  readonly parent?: string;
}

export interface KernelRoute extends Omit<DesiredRoute, 'gateway'> {
  readonly gateway: string | undefined;
  /** RTPROT_*. */
  readonly protocol: number;
}
