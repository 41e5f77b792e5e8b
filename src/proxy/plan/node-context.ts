import type { TableFamily } from '../../linux/nftables/table.ts';
import type { Algorithm } from './algorithm.ts';

/** How packets of this cluster's pods are told from others. Names as in KubeProxyConfiguration's detectLocalMode. */
export type LocalDetector =
  | { readonly mode: 'ClusterCIDR' | 'NodeCIDR'; readonly cidr: string }
  | { readonly mode: 'BridgeInterface'; readonly interface: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly prefix: string }
  | { readonly mode: 'None' };

/** What a plan needs to know about the node and the cluster, for one address family. */
export interface NodeContext {
  readonly family: TableFamily;
  readonly nodeName: string;
  readonly zone?: string;
  readonly local: LocalDetector;
  readonly masqueradeAll: boolean;
  /** Addresses at which node ports are served; `all` is every address of the node but loopback. */
  readonly nodePortIps: readonly string[] | 'all';
  /** Ranges in which an address that no Service holds is refused. */
  readonly serviceCidrs: readonly string[];
  /** The node's own addresses. */
  readonly nodeIps: readonly string[];
  /** How connections to Services that ask for nothing are spread. Absent: as the mode likes it. */
  readonly algorithm?: Algorithm;
  /** Whether rules that do nothing else are to count connections and refusals. Absent: no. */
  readonly countsConnections?: true;
}
