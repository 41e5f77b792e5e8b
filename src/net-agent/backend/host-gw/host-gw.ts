/**
 * host-gw, as flannel does it: plain routes to the other nodes, which must be on the same link. Nothing is wrapped, so packets keep the
 * link's full MTU. Pure.
 */
import { mustCidr } from '../../../ip/ip.ts';
import type { LeaseReading, SubnetLease } from '../../lease/lease.ts';
import type { Underlay } from '../../plan/network.ts';
import type { Backend, BackendConfig, BackendPlan, PlanInput } from '../backend.ts';
import { mtuOption } from '../options.ts';
import { isOnLink, plainRoute } from '../plain-route.ts';

/** Options: `MTU`. Throws BAD_CONFIG. */
export function hostGw({ MTU }: BackendConfig): Backend<null> {
  const mtu = mtuOption(MTU);
  // flannel refuses an address that is not the link's, and a node that was told to change over would stay behind: who is on the link gets here by
  // the link's own, and nobody else can.
  return { type: 'host-gw', needsLinkAddress: true, leaseData, readPeer, plan: (input) => plan(input, mtu) };
}

/** Nothing; flannel writes `null`. */
function leaseData(): null {
  return null;
}

function readPeer(lease: SubnetLease, underlay: Underlay): LeaseReading<null> {
  if (isOnLink(lease, underlay)) return { kind: 'lease', lease: { ...lease, data: null } };
  const { name, ip, prefix } = underlay;
  const { text } = mustCidr(`${ip}/${prefix}`);
  return { kind: 'refused', why: `its public-ip ${lease.publicIp} is not on link "${name}" (${text}), as host-gw needs` };
}

function plan({ peers, underlay }: PlanInput<null>, mtu = underlay.mtu): BackendPlan {
  return {
    mtu,
    links: [],
    routes: peers.map((peer) => plainRoute(peer, underlay)),
    neighbours: [],
    sysctls: {},
    chains: [],
  };
}
