/** What a Service means on one node, in words that every mode understands. Plain data. */
import type { Algorithm } from './algorithm.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface EndpointAddress {
  /** `ip . port`. */
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Whether the endpoint may run on this node, and so may be its own client. */
  readonly mayBeHere: boolean;
}

/**
 * Where packets go. `cluster` and `local` are the port's two endpoint lists; `refuse` answers with a TCP reset or port
 * unreachable, because nobody serves anywhere; `drop` is silent, because another node would serve.
 */
export type Target = 'cluster' | 'local' | 'refuse' | 'drop';

/** Whose packets get the node's address as their source. A pod that reaches itself always does. */
type Masquerade = 'outside-pods' | 'always' | 'node';

/** An address under which a port of a Service is reached. */
export interface Frontend {
  readonly kind: 'cluster-ip' | 'external-ip' | 'load-balancer-ip' | 'node-port';
  /** Absent for a node port: any address of the node that serves them. */
  readonly ip?: string;
  readonly port: number;
  /** For packets of pods and of the node itself. */
  readonly inside: Target;
  /** For packets of everybody else. */
  readonly outside: Target;
  readonly masquerade: Masquerade;
  /** The only sources that may use it. Absent: all. */
  readonly sources?: readonly string[];
  /** A node, or a part of the cluster, has the address, too: its other ports are no Services'. */
  readonly isShared?: true;
}

/** A frontend's name, under which Services meet: `10.96.0.1 . tcp . 80`, or `tcp . 30080` for a node port. */
export function frontendName({ ip, port }: Pick<Frontend, 'ip' | 'port'>, { protocol }: Pick<PortPlan, 'protocol'>): string {
  // In one piece, for whoever keeps it: a template's text would go on holding a piece beside it.
  return (ip === undefined ? [protocol, port] : [ip, protocol, port]).join(' . ');
}

export interface PortPlan {
  /** The port's name, '' when it has none. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly frontends: readonly Frontend[];
  /** Each endpoint once, in no order that means anything, and all of one weight: nothing in the API gives them others. */
  readonly cluster: readonly EndpointAddress[];
  readonly local: readonly EndpointAddress[];
  /** Those that end, still serve, and are in no list: they keep the connections that they have and get no new ones. Absent: none. */
  readonly draining?: readonly EndpointAddress[];
  /** A client keeps its endpoint for this long after its last new connection. */
  readonly affinitySeconds?: number;
  /** Names of endpoints that still answer, also while they end: established UDP flows to others are cut. Empty for other protocols. */
  readonly serving: ReadonlySet<string>;
}

export interface ServicePlan {
  /** `namespace/name`. */
  readonly key: string;
  /** Sorts Services by age: the older one keeps an address that two of them claim. */
  readonly rank: string;
  readonly clusterIp?: string;
  readonly ports: readonly PortPlan[];
  /** How connections are spread: one of those that the mode offers. Absent: the first of them. */
  readonly algorithm?: Algorithm;
  readonly health?: HealthCheck;
}

/** Where a load balancer asks whether this node has endpoints. */
export interface HealthCheck {
  readonly port: number;
  readonly localReady: number;
}

/** Whether the frontends of two plans of a Service are the same lists: nobody need look at each of them. */
export function keepsFrontends(before: ServicePlan, after: ServicePlan | undefined): boolean {
  return after?.ports.length === before.ports.length && after.ports.every((port, i) => port.frontends === before.ports[i]?.frontends);
}
