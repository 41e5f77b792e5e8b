/**
 * host-gw, as flannel does it: plain routes to the other nodes, which must be on the same link. Nothing is wrapped, so packets keep the
 * link's full MTU. Pure.
 */
import { mustCidr } from '../../../ip/ip.ts';
import type { LeaseReading, SubnetLease } from '../../lease/lease.ts';
import type { Underlay } from '../../plan/network.ts';
import type { Backend, BackendConfig, BackendPlan, OwnNode, PlanInput } from '../backend.ts';
import { badConfig, mtuOption } from '../options.ts';
import { isOnLink, plainRoute } from '../plain-route.ts';

/** Options: `MTU`. Throws BAD_CONFIG. */
export function hostGw({ MTU }: BackendConfig): Backend<null> {
  const mtu = mtuOption(MTU);
  return { type: 'host-gw', leaseData, readPeer, plan: (input) => plan(input, mtu) };
}

/** Nothing; flannel writes `null`. */
function leaseData({ publicIp, underlay }: OwnNode): null {
  if (publicIp !== underlay.ip) {
    throw badConfig(
      `host-gw cannot send to ${publicIp}: it is not the address ${underlay.ip} of link "${underlay.name}"`,
      'Leave --public-ip and the annotation public-ip-overwrite out, or use "vxlan"',
    );
  }
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
