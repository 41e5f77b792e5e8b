/** The pod network of one node, as it should be: the bridge of its pods, and what the backend needs to reach the others. Pure. */
import { type Family, macOfIp, mustCidr, nthIp } from '../../ip/ip.ts';
import type { Backend, PlanInput } from '../backend/backend.ts';
import { plainRoute } from '../backend/plain-route.ts';
import type { SubnetLease } from '../lease/lease.ts';
import type { DesiredNetwork } from './network.ts';

export const bridgeName = 'cni0';

const forwarding: Readonly<Record<Family, Readonly<Record<string, string>>>> = {
  4: {
    'net/ipv4/ip_forward': '1',
    // Pods of one node reach each other through the gateway on purpose; it must not tell them of the shorter way.
    'net/ipv4/conf/all/send_redirects': '0',
    [`net/ipv4/conf/${bridgeName}/send_redirects`]: '0',
  },
  6: { 'net/ipv6/conf/all/forwarding': '1', [`net/ipv6/conf/${bridgeName}/accept_ra`]: '0' },
};

/** `foreign`: nodes of another backend (lease/peers.ts). */
export function plan(backend: Backend, input: PlanInput, foreign: readonly SubnetLease[] = []): DesiredNetwork {
  const range = mustCidr(input.own.podCidr);
  const gateway = nthIp(range, 1);
  const { mtu, links, routes, neighbours, chains, sysctls } = backend.plan(input);
  const bridge = {
    name: bridgeName,
    // A bridge without a MAC of its own takes the lowest of its ports', and changes it as pods come and go.
    mac: macOfIp(gateway),
    mtu,
    address: { ip: gateway, prefix: range.prefix },
    kind: { kind: 'bridge' },
    exclusive: false,
  } as const;
  return {
    family: range.family,
    links: [...links, bridge],
    routes: [...routes, ...foreign.map((lease) => plainRoute(lease, input.underlay))],
    neighbours,
    sysctls: { ...forwarding[range.family], ...sysctls },
    chains,
  };
}
