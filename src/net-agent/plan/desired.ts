/** The pod network of one node, as it should be: plain data, made from leases by `plan`. Links are named, never numbered. Pure. */
import { cidrContains, mustCidr, nthIp } from '../../ip/ip.ts';
import type { Lease } from '../lease/lease.ts';

export interface DesiredLink {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly address: { readonly ip: string; readonly prefix: number };
  readonly kind:
    | { readonly kind: 'bridge' }
    | {
        readonly kind: 'vxlan';
        readonly vni: number;
        readonly port: number;
        readonly local: string;
        readonly parent: string;
        /** Whether it believes any packet about where a MAC is. */
        readonly learning: boolean;
      };
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
  readonly links: readonly DesiredLink[];
  readonly routes: readonly DesiredRoute[];
  readonly neighbours: readonly DesiredNeighbour[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/** The node's own link to the other nodes. */
export interface Underlay {
  readonly name: string;
  readonly mtu: number;
  readonly ip: string;
  readonly prefix: number;
}

export interface PlanInput {
  readonly own: Lease;
  /** Of other nodes, none of which claims what another has (lease/peers.ts). */
  readonly peers: readonly Lease[];
  readonly underlay: Underlay;
  readonly port: number;
  /** Undefined: what the underlay leaves. */
  readonly mtu: number | undefined;
  readonly directRouting: boolean;
}

export const bridgeName = 'cni0';

/** Outer Ethernet, IPv4, UDP and VXLAN headers. */
const overhead = 50;

export function vxlanName(vni: number): string {
  return `flannel.${vni}`;
}

export function plan(input: PlanInput): DesiredNetwork {
  const { own, underlay, directRouting } = input;
  const range = mustCidr(own.podCidr);
  const mtu = input.mtu ?? underlay.mtu - overhead;
  const vxlan = vxlanName(own.vni);
  const gateway = nthIp(range, 1);
  const onLink = mustCidr(`${underlay.ip}/${underlay.prefix}`);
  const routes: DesiredRoute[] = [];
  const neighbours: DesiredNeighbour[] = [];
  for (const peer of input.peers) {
    if (directRouting && cidrContains(onLink, peer.publicIp)) {
      routes.push({ dst: peer.podCidr, link: underlay.name, gateway: peer.publicIp, onlink: false });
      continue;
    }
    const vtep = mustCidr(peer.podCidr).base;
    neighbours.push({ kind: 'neighbour', link: vxlan, ip: vtep, mac: peer.vtepMac });
    neighbours.push({ kind: 'fdb', link: vxlan, ip: peer.publicIp, mac: peer.vtepMac });
    routes.push({ dst: peer.podCidr, link: vxlan, gateway: vtep, onlink: true });
  }
  return {
    links: [
      {
        name: vxlan,
        mac: own.vtepMac,
        mtu,
        address: { ip: range.base, prefix: 32 },
        kind: { kind: 'vxlan', vni: own.vni, port: input.port, local: underlay.ip, parent: underlay.name, learning: false },
      },
      // A bridge without a MAC of its own takes the lowest of its ports', and changes it as pods come and go.
      { name: bridgeName, mac: bridgeMac(gateway), mtu, address: { ip: gateway, prefix: range.prefix }, kind: { kind: 'bridge' } },
    ],
    routes,
    neighbours,
    sysctls: {
      'net/ipv4/ip_forward': '1',
      // Pods of one node reach each other through the gateway on purpose; it must not tell them of the shorter way.
      'net/ipv4/conf/all/send_redirects': '0',
      [`net/ipv4/conf/${bridgeName}/send_redirects`]: '0',
      [`net/ipv6/conf/${vxlan}/accept_ra`]: '0',
    },
  };
}

function bridgeMac(gateway: string): string {
  return ['0a', '58', ...gateway.split('.').map((o) => Number(o).toString(16).padStart(2, '0'))].join(':');
}
