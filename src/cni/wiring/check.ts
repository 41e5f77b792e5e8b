/** What a pod's link should be, and what of it is not so. Pure. */
import { mustCidr } from '../../ip/ip.ts';
import type { Address } from '../../linux/netlink/address.ts';
import type { Link } from '../../linux/netlink/link.ts';
import type { Route } from '../../linux/netlink/route.ts';
import { type Attachment, hostLinkOf, macOf, type PodNetwork } from '../attachment.ts';

/** The routes in a pod, in an order in which the kernel takes them. */
export function routesOf(network: PodNetwork, index: number): Route[] {
  const range = mustCidr(network.podCidr);
  return [
    { dst: `${network.gateway}/32`, index },
    { dst: range.text, index, gateway: network.gateway },
    { dst: '0.0.0.0/0', index, gateway: network.gateway },
  ];
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
  if (!addresses.some((x) => x.index === link.index && x.ip === a.ip)) wrong.push(`link "${a.ifName}" has not the address ${a.ip}`);
  const isThere = (want: Route): boolean => routes.some((r) => r.dst === want.dst && r.index === want.index && r.gateway === want.gateway);
  const missing = routesOf(network, link.index).filter((want) => !isThere(want));
  return [...wrong, ...missing.map(({ dst }) => `the route to ${dst} is missing`)];
}
