/** The kernel's load balancer (IPVS) as values: virtual servers, the real servers behind them, and the seam through which they are changed. */
import type { NetlinkError } from '../netlink/netlink-error.ts';

export type TransportProtocol = 'tcp' | 'udp' | 'sctp';

/** Where clients come to: an address, or the firewall mark of packets, of one family. */
export type VirtualAddress =
  | { readonly kind: 'address'; readonly ip: string; readonly port: number; readonly protocol: TransportProtocol }
  | { readonly kind: 'mark'; readonly mark: number; readonly family: 4 | 6 };

/**
 * Of source hashing (sh, mh). `fallback`: a client whose real server has weight 0 gets another; `port`: the client's port counts, too, so that
 * one client is spread.
 */
export type HashFlag = 'fallback' | 'port';

export interface VirtualServer {
  readonly address: VirtualAddress;
  /** `rr`, `wrr`, `lc` …: the module ip_vs_NAME. */
  readonly scheduler: string;
  /** A client stays with its real server for so long after its last connection has ended. */
  readonly persistentSeconds?: number;
  readonly hash?: readonly HashFlag[];
}

export interface RealServer {
  readonly ip: string;
  readonly port: number;
  /** At 0 it keeps its connections and gets no new ones. */
  readonly weight: number;
}

/** What the kernel counts of a real server. */
export interface HeldRealServer extends RealServer {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
}

export interface HeldVirtualServer extends VirtualServer {
  readonly realServers: readonly HeldRealServer[];
}

/** What a virtual server has counted since it is there. */
export interface ServerTraffic {
  readonly address: VirtualAddress;
  readonly connections: number;
  /** From clients, and to them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The same of one of its real servers. */
export interface RealTraffic extends Omit<ServerTraffic, 'address'> {
  readonly ip: string;
  readonly port: number;
}

export type IpvsOp =
  | { readonly op: 'add-server' | 'set-server'; readonly server: VirtualServer }
  | { readonly op: 'delete-server'; readonly address: VirtualAddress }
  | { readonly op: 'add-real'; readonly address: VirtualAddress; readonly real: RealServer }
  | { readonly op: 'set-real'; readonly address: VirtualAddress; readonly real: RealServer }
  | { readonly op: 'delete-real'; readonly address: VirtualAddress; readonly real: Pick<RealServer, 'ip' | 'port'> };

/** How long connections are remembered, in seconds; 0 leaves a time as it is. */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** The balancer of one network namespace. */
export interface Ipvs {
  /** `1.2.1`. Throws KERNEL_FEATURE_MISSING. */
  version(): Promise<string>;
  /** Makes the changes in order. One element per change: undefined when the kernel agreed. */
  apply(ops: readonly IpvsOp[]): Promise<readonly (NetlinkError | undefined)[]>;
  /** Everything, of both families. */
  read(): Promise<HeldVirtualServer[]>;
  traffic(): Promise<ServerTraffic[]>;
  /** Of the real servers of one virtual server; none when it is not there. */
  realTraffic(address: VirtualAddress): Promise<RealTraffic[]>;
  /** Those of one virtual server; none when it is not there. */
  realServers(address: VirtualAddress): Promise<HeldRealServer[]>;
  /** Those of every virtual server, by its name, a mark of IPv6 by that of IPv4: the kernel's table tells no family of marks. A part of what `read` takes. */
  allRealServers(): Promise<ReadonlyMap<string, readonly HeldRealServer[]>>;
  timeouts(): Promise<IpvsTimeouts>;
  setTimeouts(timeouts: IpvsTimeouts): Promise<void>;
  /** Takes away all virtual servers. */
  flush(): Promise<void>;
  close(): void;
}

/** By which a virtual server is found: `tcp 10.96.0.1 80`, `mark 7`. */
export function serverName(address: VirtualAddress): string {
  if (address.kind === 'mark') return `mark ${address.mark}${address.family === 6 ? ' -6' : ''}`;
  return `${address.protocol} ${address.ip} ${address.port}`;
}

/** By which a real server of a virtual server is found. */
export function realName({ ip, port }: Pick<RealServer, 'ip' | 'port'>): string {
  return `${ip} ${port}`;
}

/** All that are remembered. Those that a side has closed are inactive, and the other side may still send. */
export function connectionsOf({ activeConnections, inactiveConnections }: HeldRealServer): number {
  return activeConnections + inactiveConnections;
}

/** Whether the kernel's balancer must be told of a difference. */
export function isSameServer(a: VirtualServer, b: VirtualServer): boolean {
  const flags = (server: VirtualServer): string => (server.hash ?? []).toSorted().join();
  return a.scheduler === b.scheduler && a.persistentSeconds === b.persistentSeconds && flags(a) === flags(b);
}
