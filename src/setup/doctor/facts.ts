/** What of a living node is looked at beside the preflight checks' facts, as plain data. Undefined is "it could not be told". */
import type { Family } from '../../ip/ip.ts';
import type { Facts } from '../preflight/facts.ts';

export interface DoctorFacts {
  /** Milliseconds since the epoch, by this machine's clock. */
  readonly now: number;
  readonly machine: Facts;
  /** Those that init or join have set up here. */
  readonly services: readonly ServiceFact[];
  readonly cluster: ClusterFact;
  readonly certificates: readonly CertificateFact[];
  /** Why they could not be looked for. */
  readonly certificatesProblem: string | undefined;
  readonly network: NetworkFact;
  readonly resolver: ResolverFact;
  readonly firewall: FirewallFact;
}

export interface ServiceFact {
  readonly name: 'server' | 'agent';
  readonly isRunning: boolean;
  /** A command that shows its log. */
  readonly logHint: string;
}

export type ClusterFact =
  /** This machine has no kubeconfig, or one that this user may not read. */
  | { readonly kind: 'none'; readonly why: string }
  /** It has one that nobody can use. */
  | { readonly kind: 'unusable'; readonly why: string }
  /** `outOfTime`: its certificate does not hold yet, or no longer, by the clock here. */
  | { readonly kind: 'silent'; readonly server: string; readonly why: string; readonly outOfTime?: boolean }
  | { readonly kind: 'refused'; readonly server: string; readonly why: string }
  /** `node` is undefined when it has not registered. */
  | { readonly kind: 'heard'; readonly server: string; readonly node: NodeFact | undefined };

export interface NodeFact {
  readonly isReady: boolean;
  /** What its condition Ready says. */
  readonly message: string;
  readonly addresses: readonly string[];
}

export interface CertificateFact {
  readonly name: string;
  readonly path: string;
  /** As "fairlead certs" has it; those of kind `rotated` the kubelet replaces itself. */
  readonly kind: 'authority' | 'certificate' | 'kubeconfig' | 'rotated';
  readonly starts: number;
  readonly ends: number;
  /** Why it cannot be read. */
  readonly problem?: string | undefined;
  /** Why some do not trust it all the same. */
  readonly flaw?: string | undefined;
  /** The key of the authority that signed it is here. */
  readonly isRenewable: boolean;
}

export interface NetworkFact {
  /** All addresses of this machine but loopback's. */
  readonly ownAddresses: readonly string[];
  /** Of the links that have the node's addresses. */
  readonly networks: readonly string[];
  /** What the cluster says; undefined where no copy of it is here. */
  readonly backend: { readonly type: string; readonly vni: number; readonly port: number } | undefined;
  /** FLANNEL_MTU of subnet.env: what pods are given. */
  readonly podMtu: number | undefined;
  readonly links: readonly LinkFact[] | undefined;
  /** By other nodes' names, what came of packets as large as this machine's MTU. Undefined where there is no ping that can send such. */
  readonly peers: readonly PeerFact[] | undefined;
}

export interface LinkFact {
  readonly name: string;
  readonly kind: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly vxlan?: { readonly vni: number; readonly port: number };
}

export interface PeerFact {
  readonly node: string;
  readonly address: string;
  readonly largeArrives: boolean;
  readonly smallArrives: boolean;
}

export interface ResolverFact {
  /** The resolv.conf that pods and the node's DNS go by. */
  readonly path: string;
  readonly servers: readonly string[] | undefined;
  /** Of the cluster's own DNS. */
  readonly clusterDns: string | undefined;
}

/** What the tools that list rules say, in their own words; undefined for one that is not there or cannot. */
export interface FirewallFact {
  /** `iptables-save` and `ip6tables-save` of each backend. */
  readonly legacy: RulesByFamily | undefined;
  readonly nft: RulesByFamily | undefined;
  /** `nft list ruleset`. */
  readonly ruleset: string | undefined;
}

export type RulesByFamily = Readonly<Partial<Record<Family, string>>>;
