/** What a machine is like, as plain data: gathered by `gather.ts`, judged by `check.ts`. Undefined is "it could not be told", and troubles nobody. */
import type { Family } from '../../ip/ip.ts';
import type { Identity } from './identity.ts';

export type Role = 'control-plane' | 'worker';

export interface Facts extends Identity {
  readonly role: Role;
  readonly isRoot: boolean;
  readonly nodeName: string;
  /** Those that the node would get, and the link that has the first. */
  readonly addresses: readonly string[];
  readonly link: string | undefined;
  readonly mtu: number | undefined;
  /** Those that pods of the cluster have addresses of; none where that is not known yet. */
  readonly families: readonly Family[];
  readonly memoryBytes: number;
  readonly swapDevices: readonly string[];
  /** By name of the module: whether the kernel has it. */
  readonly kernel: Readonly<Record<string, boolean | undefined>>;
  readonly cgroups: { readonly version: 1 | 2; readonly controllers: readonly string[] } | undefined;
  /** By name with slashes, such as `net/ipv4/ip_forward`. */
  readonly sysctls: Readonly<Record<string, string | undefined>>;
  /** Of the machine's own network namespace; `address` is `0.0.0.0` or `::` for all. */
  readonly listening: readonly Listener[];
  /** Programs that were found, by name. */
  readonly programs: readonly string[];
  readonly runtime: {
    /** The path of its socket. */
    readonly socket: string;
    readonly answers: boolean;
    readonly criDisabled: boolean;
    readonly cgroupDriver: 'cgroupfs' | 'systemd' | undefined;
    readonly otherNetworks: readonly OtherNetwork[];
  };
  /** How Services become rules in this cluster. */
  readonly proxyMode: string;
  /** Services of our own that run already: what they hold is no obstacle. */
  readonly running: readonly ('server' | 'agent')[];
  /** Ports of this setup. */
  readonly apiPort: number;
  /** What of another Kubernetes lies here. */
  readonly others: readonly string[];
  readonly firewalls: readonly string[];
  /** This clock against that of the control plane; positive when it is ahead. */
  readonly skewMs: number | undefined;
  /** It has the certificate of a node: its address may be another since. */
  readonly isMember: boolean;
  /** The API server of a cluster that the machine is a node of, and that is not the one to be made. */
  readonly otherCluster?: string | undefined;
  /** What the store that was named answers; undefined when none was, or it is in use already. */
  readonly store?: StoreFact | undefined;
  /** Other nodes, as far as they may be seen. */
  readonly nodes: readonly KnownNode[];
}

/** `isEmpty`: no API server has written into it. `authority`: of the cluster in it, as its cluster-info has it, PEM; undefined where that cannot be told. `refusal`: it cannot be used, with cause and cure; `isAway` when that may pass by itself. */
export type StoreFact =
  | { readonly isEmpty: boolean; readonly authority?: string | undefined }
  | { readonly refusal: { readonly cause: string; readonly cure: string; readonly isAway?: boolean } };

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

export interface KnownNode {
  readonly name: string;
  readonly machineId: string;
  readonly addresses: readonly string[];
  readonly isReady: boolean;
}

/** A configuration of pod networks that the container runtime takes before that of Fairlead. */
export interface OtherNetwork {
  readonly path: string;
  /** The plugins that it calls, in their order, and those that these call by what it says. */
  readonly members: readonly string[];
  /** Whether pods get their network by Fairlead through it, as in a chain of plugins, or from Multus. Undefined where it does not say. */
  readonly leadsToOurs: boolean | undefined;
}
