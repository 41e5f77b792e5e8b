/** From a ServicePlan to set elements. Pure: the same plan gives the same elements, whatever other Services there are. */
import type { EndpointAddress, Frontend, PortPlan, ServicePlan, Target } from '../../plan/service-plan.ts';
import { localOffset, type SetName } from './layout.ts';

export interface Element {
  readonly set: SetName;
  readonly key: string;
  readonly data: string;
}

function endpointElements(
  set: 'endpoints' | 'nodeport-endpoints',
  frontend: string,
  list: readonly EndpointAddress[],
  offset: number,
): Element[] {
  return list.map((e, slot) => ({ set, key: `${frontend} . ${slot + offset}`, data: `${e.ip} . ${e.port}` }));
}

/** The chain that spreads over the n endpoints of a list, or undefined for a target that is no list. */
function spread(target: Target, port: PortPlan, prefix: string): string | undefined {
  if (target === 'cluster') return `goto ${prefix}lb-${port.cluster.length}`;
  return target === 'local' ? `goto ${prefix}local-${port.local.length}` : undefined;
}

/**
 * Elements that stand or fall together. A frontend serves one Service, whole: endpoints of one under the source ranges of
 * another would open what was closed, and overlapping ranges of two are refused by the kernel, with everything else.
 */
export interface Claim {
  /** `10.96.0.1 . tcp . 80` or `tcp . 30080` for a frontend; for an element that Services share, its set and key. */
  readonly name: string;
  /** Whether only one Service can have it. */
  readonly frontend: boolean;
  /** Sorts those who claim the same: the first has it. */
  readonly rank: string;
  readonly elements: readonly Element[];
}

/** As keys of sets begin: `10.96.0.1 . tcp . 80`, or `tcp . 30080` for a node port. */
export function frontendName({ ip, port }: Pick<Frontend, 'ip' | 'port'>, { protocol }: Pick<PortPlan, 'protocol'>): string {
  return `${ip === undefined ? '' : `${ip} . `}${protocol} . ${port}`;
}

function frontendElements(frontend: Frontend, port: PortPlan, key: string): Element[] {
  const isNodePort = frontend.kind === 'node-port';
  const elements: Element[] = [];
  const add = (onIp: SetName, onNodePort: SetName, data: string): void => {
    elements.push({ set: isNodePort ? onNodePort : onIp, key, data });
  };
  const prefix = isNodePort ? 'nodeport-' : '';
  const endpoints = isNodePort ? 'nodeport-endpoints' : 'endpoints';
  const { inside, outside } = frontend;

  const inner = spread(inside, port, prefix);
  if (inner) add('services', 'nodeports', inner);
  // `accept` leaves the packet as it is, for the check after DNAT to drop.
  if (outside !== inside) add('local-services', 'local-nodeports', spread(outside, port, prefix) ?? 'accept');
  const unserved = outside === 'refuse' || outside === 'drop' ? outside : inside;
  if (unserved === 'drop') add('no-endpoint-services', 'no-endpoint-nodeports', 'drop');
  // What is undefined on a cluster IP is refused anyway, so that needs no element.
  if (unserved === 'refuse' && frontend.kind !== 'cluster-ip') add('no-endpoint-services', 'no-endpoint-nodeports', 'goto refuse');

  if (inside === 'cluster') elements.push(...endpointElements(endpoints, key, port.cluster, 0));
  if (inside === 'local' || outside === 'local') elements.push(...endpointElements(endpoints, key, port.local, localOffset));

  const served = inner !== undefined || outside === 'local';
  if (served && frontend.kind !== 'cluster-ip')
    add('masquerade-services', 'masquerade-nodeports', frontend.masquerade === 'always' ? 'goto masq' : 'goto masq-node');
  if (served && port.affinitySeconds !== undefined) add('affinity-services', 'affinity-nodeports', `goto learn-${port.affinitySeconds}`);
  if (frontend.sources) {
    elements.push({ set: 'guarded-services', key, data: '' });
    // nft and the kernel write a range of one address as the address.
    for (const range of frontend.sources)
      elements.push({ set: 'allowed-sources', key: `${key} . ${range.replace(range.includes(':') ? /\/128$/ : /\/32$/, '')}`, data: '' });
  }
  return elements;
}

/** Everything that a Service puts into sets. */
export function serviceClaims(plan: ServicePlan): Claim[] {
  const claims: Claim[] = [];
  const share = (element: Element): void => {
    claims.push({ name: `${element.set} ${element.key}`, frontend: false, rank: plan.rank, elements: [element] });
  };
  if (plan.clusterIp) share({ set: 'cluster-ips', key: plan.clusterIp, data: '' });
  const own = new Set<string>();
  for (const port of plan.ports) {
    for (const frontend of port.frontends) {
      const name = frontendName(frontend, port);
      // The cluster allocates cluster IPs, users write the rest: nobody takes over a Service by naming its address.
      const rank = `${frontend.kind === 'cluster-ip' ? 0 : 1} ${plan.rank}`;
      claims.push({ name, frontend: true, rank, elements: frontendElements(frontend, port, name) });
    }
    for (const endpoint of [...port.cluster, ...port.local]) if (endpoint.mayBeHere) own.add(endpoint.ip);
  }
  for (const ip of own) share({ set: 'hairpin', key: `${ip} . ${ip}`, data: '' });
  return claims;
}
