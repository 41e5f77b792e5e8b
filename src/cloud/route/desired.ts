/** Which routes of the cloud's network are missing, and which are left over: pure. */
import type { Node, NodeCondition } from '../../api/schema/types.ts';
import { cidrContains, parseCidr } from '../../ip/ip.ts';
import type { Route } from '../provider.ts';

export interface RoutePlan {
  readonly create: readonly Route[];
  readonly remove: readonly Route[];
}

/** Routes of the pods' ranges to nothing, or to a node that does not have the range, go; those of other ranges are somebody else's. */
export function planRoutes(nodes: readonly Node[], present: readonly Route[], clusterCidrs: readonly string[]): RoutePlan {
  const wanted = nodes.flatMap((node) => podCidrs(node).map((destination): Route => ({ name: '', node: node.metadata.name, destination })));
  const isSame = (a: Route, b: Route): boolean => a.node === b.node && a.destination === b.destination;
  const ranges = clusterCidrs.flatMap((text) => parseCidr(text) ?? []);
  const isOurs = ({ destination }: Route): boolean => {
    const cidr = parseCidr(destination);
    return cidr !== undefined && ranges.some((range) => range.prefix <= cidr.prefix && cidrContains(range, cidr.base));
  };
  return {
    create: wanted.filter((route) => !present.some((one) => isSame(one, route) && !one.isBlackhole)),
    remove: present.filter((route) => isOurs(route) && (route.isBlackhole || !wanted.some((one) => isSame(one, route)))),
  };
}

export function podCidrs({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);
}

/** The condition NetworkUnavailable of a node with or without its routes; undefined when it says so already. */
export function networkCondition({ status }: Node, hasRoutes: boolean, now: string): NodeCondition | undefined {
  const wanted = hasRoutes
    ? { status: 'False', reason: 'RouteCreated', message: 'RouteController created a route' }
    : { status: 'True', reason: 'NoRouteCreated', message: 'RouteController failed to create a route' };
  const present = status?.conditions?.find(({ type }) => type === 'NetworkUnavailable');
  if (present?.status === wanted.status && present.reason === wanted.reason) return undefined;
  return { type: 'NetworkUnavailable', ...wanted, lastTransitionTime: now };
}
