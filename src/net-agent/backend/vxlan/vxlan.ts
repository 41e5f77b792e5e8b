/**
 * VXLAN, as flannel does it: one device per node, and for each other node a route, a permanent neighbour (the MAC of its device) and a
 * forwarding entry (the node behind which that MAC is), so that nobody ever has to ask. Nothing is learnt from packets. Pure.
 */
import { type Family, familyOf, mustCidr } from '../../../ip/ip.ts';
import type { Chain } from '../../../linux/nftables/table.ts';
import type { LeaseReading, SubnetLease } from '../../lease/lease.ts';
import type { DesiredNeighbour, DesiredRoute } from '../../plan/network.ts';
import { beforeTracking, familyWord } from '../../plan/rules.ts';
import type { Backend, BackendConfig, BackendPlan, OwnNode, PlanInput } from '../backend.ts';
import { badConfig, mtuOption, wholeNumber } from '../options.ts';
import { isOnLink, plainRoute } from '../plain-route.ts';

/** Flannel's backend data, in its own spelling and order. */
export interface VxlanData {
  readonly VNI: number;
  readonly VtepMAC: string;
}

/** Outer IP, UDP and VXLAN headers, and the inner Ethernet header. */
const overhead: Readonly<Record<Family, number>> = { 4: 50, 6: 70 };
const deviceOf: Readonly<Record<Family, string>> = { 4: 'flannel', 6: 'flannel-v6' };
/** Of one link: neither a group's nor zero, with which the kernel refuses entries. */
const macPattern = /^(?!00(:00){5}$)[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

/** Options: `VNI` (default 1), `Port` (8472, the kernel's own), `MTU`, `DirectRouting` (nodes on the same link are reached by plain routes). */
export function vxlan(config: BackendConfig): Backend<VxlanData> {
  return new VxlanBackend(config);
}

class VxlanBackend implements Backend<VxlanData> {
  readonly type = 'vxlan';
  readonly #vni: number;
  readonly #port: number;
  readonly #mtu: number | undefined;
  readonly #directRouting: boolean;

  constructor({ VNI, Port, MTU, DirectRouting = false }: BackendConfig) {
    this.#vni = wholeNumber(VNI, 'a VNI', [1, 2 ** 24 - 1]) ?? 1;
    this.#port = wholeNumber(Port, 'a port', [1, 65_535]) ?? 8472;
    this.#mtu = mtuOption(MTU);
    if (typeof DirectRouting !== 'boolean') throw badConfig(`DirectRouting ${DirectRouting}`, 'DirectRouting is true or false');
    this.#directRouting = DirectRouting;
  }

  /** The MAC stays for as long as the Node, or at least the device, exists. */
  leaseData({ family, told, links, randomMac }: OwnNode): VxlanData {
    const before = readData(told)?.VtepMAC;
    const mac = before !== undefined && macPattern.test(before) ? before : links.find((l) => l.name === this.#device(family))?.mac;
    return { VNI: this.#vni, VtepMAC: mac ?? randomMac() };
  }

  readPeer(lease: SubnetLease): LeaseReading<VxlanData> {
    const data = readData(lease.data);
    const refused = (why: string): LeaseReading<VxlanData> => ({ kind: 'refused', why });
    if (!data) return refused('its backend-data has no VtepMAC');
    if (!macPattern.test(data.VtepMAC)) return refused(`its VtepMAC "${data.VtepMAC}" is no link's`);
    const read = { ...lease, data };
    if (data.VNI !== this.#vni) return { kind: 'foreign', lease: read, why: `its VNI is ${data.VNI}, not ${this.#vni}` };
    return { kind: 'lease', lease: read };
  }

  identity({ VtepMAC }: VxlanData): string {
    return `VtepMAC ${VtepMAC}`;
  }

  plan({ own, peers, underlay }: PlanInput<VxlanData>): BackendPlan {
    const { family, base } = mustCidr(own.podCidr);
    const device = this.#device(family);
    const mtu = this.#mtu ?? underlay.mtu - overhead[familyOf(underlay.ip)];
    const routes: DesiredRoute[] = [];
    const neighbours: DesiredNeighbour[] = [];
    for (const peer of peers) {
      if (this.#directRouting && isOnLink(peer, underlay)) {
        routes.push(plainRoute(peer, underlay));
        continue;
      }
      const { podCidr, publicIp, data } = peer;
      const vtep = mustCidr(podCidr).base;
      neighbours.push({ kind: 'neighbour', link: device, ip: vtep, mac: data.VtepMAC });
      neighbours.push({ kind: 'fdb', link: device, ip: publicIp, mac: data.VtepMAC });
      routes.push({ dst: podCidr, link: device, gateway: vtep, onlink: true });
    }
    return {
      mtu,
      links: [
        {
          name: device,
          mac: own.data.VtepMAC,
          mtu,
          // With the full length no broadcast comes along; it is the source of what the node itself sends to pods.
          address: { ip: base, prefix: family === 4 ? 32 : 128 },
          kind: { kind: 'vxlan', vni: this.#vni, port: this.#port, local: underlay.ip, learning: false },
          parent: underlay.name,
          exclusive: true,
        },
      ],
      routes,
      neighbours,
      sysctls: { [`net/ipv6/conf/${device}/accept_ra`]: '0' },
      chains: untracked(underlay.ip, this.#port),
    };
  }

  #device(family: Family): string {
    return `${deviceOf[family]}.${this.#vni}`;
  }
}

function readData(data: unknown): VxlanData | undefined {
  if (typeof data !== 'object' || data === null || !('VtepMAC' in data)) return undefined;
  // Old flannel versions left the number out when it was 1.
  return { VNI: 'VNI' in data ? Number(data.VNI) : 1, VtepMAC: String(data.VtepMAC).toLowerCase() };
}

/**
 * Keeps the outer packets out of connection tracking. Their source port is a hash of the inner flow: each flow would cost two entries, neither
 * of them ever answered, and each packet a look-up. Calico does the same.
 */
function untracked(ip: string, port: number): Chain[] {
  const word = familyWord(familyOf(ip));
  const rule = (side: 'saddr' | 'daddr'): string => `${word} ${side} ${ip} meta l4proto udp th dport ${port} notrack`;
  return [
    { name: 'outer-in', hook: { type: 'filter', hook: 'prerouting', priority: beforeTracking }, rules: [rule('daddr')] },
    { name: 'outer-out', hook: { type: 'filter', hook: 'output', priority: beforeTracking }, rules: [rule('saddr')] },
  ];
}
