/**
 * How packets of pods get from node to node: a backend, as flannel calls it. One is a folder, and a line in backends.ts; testing/conformance.ts has what
 * each must keep. All of it is pure: what a backend wants of the kernel is data, which plan/diff.ts compares and kernel/ brings about.
 */
import type { Family } from '../../ip/ip.ts';
import type { LeaseReading, SubnetLease } from '../lease/lease.ts';
import type { DesiredNetwork, KernelLink, Underlay } from '../plan/network.ts';

/** `Backend` of flannel's net-conf.json, with flannel's own names. */
export interface BackendConfig {
  readonly Type: string;
  readonly [option: string]: unknown;
}

/** This node, when it decides what it tells to others. */
export interface OwnNode {
  readonly family: Family;
  /** What it told before, as its Node has it. */
  readonly told: unknown;
  readonly links: readonly KernelLink[];
  readonly publicIp: string;
  readonly underlay: Underlay;
  /** A random MAC of its own. */
  randomMac(): string;
}

export interface PlanInput<Data = unknown> {
  readonly own: SubnetLease<Data>;
  /** Of other nodes, none of which claims what another has (lease/peers.ts). */
  readonly peers: readonly SubnetLease<Data>[];
  readonly underlay: Underlay;
}

/** What a backend adds to the pod network of a node. */
export interface BackendPlan extends Omit<DesiredNetwork, 'family'> {
  /** Of the pods' links. */
  readonly mtu: number;
}

/** `Data` is flannel's backend data: what each node tells to the others beside its address. */
export interface Backend<Data = unknown> {
  /** Flannel's name for it: `Backend.Type` of net-conf.json, and in the annotation backend-type. */
  readonly type: string;
  /** Whether others send to the address of a node's own link, whatever it would rather have them use. */
  readonly needsLinkAddress?: true;
  /** What this node tells. What it told before stays true where that can be, so that the others' entries stay right. Throws BAD_CONFIG. */
  leaseData(own: OwnNode): Data;
  /** Looks whether packets can be sent to another node. */
  readPeer(lease: SubnetLease, underlay: Underlay): LeaseReading<Data>;
  /** What no two nodes can have in common, in words: `VtepMAC 02:00:00:00:00:01`. */
  identity?(data: Data): string;
  plan(input: PlanInput<Data>): BackendPlan;
}
