/** What a pod's link should be, and what of it is not so. Pure. */
import { type Family, familyOf, mustCidr } from '../../ip/ip.ts';
import type { Address } from '../../linux/netlink/address.ts';
import type { Link } from '../../linux/netlink/link.ts';
import type { Route } from '../../linux/netlink/route.ts';
import { type Attachment, hostLinkOf, ipsOf, macOf, type PodNetwork, rangesOf } from '../attachment.ts';

/** The routes in a pod, in an order in which the kernel takes them. */
export function routesOf(network: PodNetwork, index: number): Route[] {
  return rangesOf(network).flatMap(({ podCidr, gateway }) => [
    { dst: mustCidr(gateway).text, index },
    { dst: mustCidr(podCidr).text, index, gateway },
    { dst: everything[familyOf(gateway)], index, gateway },
  ]);
}

export const everything: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

interface PodAddress {
  readonly ip: string;
  readonly prefix: number;
  readonly gateway: string;
}

/** A pod that was attached before the node had both families has an address of one. */
export function addressesOf(a: Pick<Attachment, 'ip' | 'secondIp'>, network: PodNetwork): PodAddress[] {
  return ipsOf(a).flatMap((ip) => {
    const range = rangesOf(network).find(({ gateway }) => familyOf(gateway) === familyOf(ip));
    return range ? [{ ip, prefix: mustCidr(range.podCidr).prefix, gateway: range.gateway }] : [];
  });
}

/** What is wrong with the node's end, in words. */
export function wrongOnNode(a: Attachment, network: PodNetwork, host: Link | undefined, bridge: Link | undefined): string[] {
  const name = hostLinkOf(a);
  if (!host) return [`the node has no link "${name}"`];
  const wrong = host.up ? [] : [`link "${name}" is down`];
  if (!bridge || host.master !== bridge.index) wrong.push(`link "${name}" is not in bridge "${network.bridge}"`);
  else if (!host.hairpin) wrong.push(`link "${name}" lost its hairpin mode`);
  return wrong;
}

/** What is wrong with the pod's end, in words. */
export function wrongInPod(
  a: Attachment,
  network: PodNetwork,
  host: Link | undefined,
  link: Link | undefined,
  addresses: readonly Address[],
  routes: readonly Route[],
): string[] {
  if (!link) return [`the pod has no link "${a.ifName}"`];
  const wrong = link.up ? [] : [`link "${a.ifName}" is down`];
  if (host && link.parent !== host.index) wrong.push(`link "${a.ifName}" is not the other end of "${host.name}"`);
  if (link.mac !== macOf(a.ip, 'pod')) wrong.push(`link "${a.ifName}" has MAC ${link.mac}`);
  for (const ip of ipsOf(a))
    if (!addresses.some((x) => x.index === link.index && x.ip === ip)) wrong.push(`link "${a.ifName}" has not the address ${ip}`);
  const ownFamilies = new Set(ipsOf(a).map(familyOf));
  const isThere = (want: Route): boolean => routes.some((r) => r.dst === want.dst && r.index === want.index && r.gateway === want.gateway);
  const missing = routesOf(network, link.index).filter((want) => ownFamilies.has(familyOf(want.dst)) && !isThere(want));
  return [...wrong, ...missing.map(({ dst }) => `the route to ${dst} is missing`)];
}
