/**
 * How plans become rules of the kernel. What a plan says holds in every mode; a mode is a folder, and a line in modes.ts. testing/conformance.ts has
 * what each must keep.
 */

import type { Clock } from '../../clock/clock.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { Log } from '../../observability/log.ts';
import type { Algorithm } from '../plan/algorithm.ts';
import type { NodeContext } from '../plan/node-context.ts';
import type { Listener } from '../plan/reserved.ts';
import type { Protocol, ServicePlan } from '../plan/service-plan.ts';

export interface SyncResult {
  /** Whether everything was compared with the kernel, and not only what changed. */
  readonly full: boolean;
  /** Steps that were sent; 0 when the kernel held everything already. */
  readonly steps: number;
}

/** The rules of one address family. One caller at a time. */
export interface ModeRules {
  /** Says what a Service (`namespace/name`) has now; undefined when it is gone. No two have the same frontend. Takes effect with the next `sync`. */
  put(key: string, plan: ServicePlan | undefined): void;
  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void;
  /** Brings the kernel in step: the changes since last time, or after a failure everything that differs. */
  sync(): Promise<SyncResult>;
  /** The next sync compares everything with the kernel again. */
  distrust(): void;
  /**
   * What was counted for ports of Services since their rules, or this process, are there. Changes nothing that packets meet. Of endpoints it tells only
   * when they are asked for, where that takes more reading. Ports that nobody met may be left out. Absent: nothing is counted.
   */
  counts?(of?: 'ports' | 'endpoints'): Promise<readonly ServiceCount[]>;
}

export interface ServiceCount {
  /** `namespace/name`. */
  readonly service: string;
  /** Its name, '' when it has none. */
  readonly port: string;
  readonly protocol: Protocol;
  /** New connections, and flows of datagrams, that were given an endpoint. */
  readonly connections: number;
  /** Bytes from clients and to them. Absent where the kernel does not count them. */
  readonly received?: number;
  readonly sent?: number;
  /** Attempts that were refused or dropped, as far as this mode's own rules do it. */
  readonly refused?: number;
  /** The same of single endpoints that it has now. Those without a connection may be left out. */
  readonly endpoints?: readonly EndpointCount[];
}

export interface EndpointCount extends Pick<ServiceCount, 'connections' | 'received' | 'sent'> {
  /** `10.244.1.2:8080`, `[fd00::2]:8080`. */
  readonly endpoint: string;
}

/** What a mode is told when it is made. Each heeds what concerns it. */
export interface ModeOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  /** nftables: whether nothing else in this process would be held up while the kernel makes a short change. Default false. */
  readonly isAlone?: boolean;
  /** iptables, ipvs: the bit of the packet mark that says "masquerade". Default 14. */
  readonly masqueradeBit?: number;
  /** iptables, IPv4: whether node ports answer at 127.0.0.1. Default true. */
  readonly localhostNodePorts?: boolean;
  /** iptables, ipvs: conntrack takes packets outside of the window for valid, so none is dropped as INVALID. Default false. */
  readonly conntrackLiberal?: boolean;
  readonly ipvs?: IpvsOptions;
}

/** The section `ipvs` of a KubeProxyConfiguration, but for its periods; its scheduler is the cluster's algorithm. */
export interface IpvsOptions {
  /** Virtual servers in these ranges are somebody else's. */
  readonly excludeCidrs?: readonly string[];
  readonly strictArp?: boolean;
  /** Milliseconds; 0 or absent leaves what the kernel has. */
  readonly tcpTimeoutMs?: number;
  readonly tcpFinTimeoutMs?: number;
  readonly udpTimeoutMs?: number;
}

/** Something that kube-proxy tells of this mode alone. It is read when somebody asks, and not before. */
export interface ModeFigure {
  /** kube-proxy's, after `kubeproxy_`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  read(): Figures | Promise<Figures>;
}

/** Values, each with its labels. */
export type Figures = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** A mode at work in one network namespace. */
export interface Mode {
  /** As in `--proxy-mode` and at /proxyMode. */
  readonly name: string;
  /** kube-proxy's name, after `kubeproxy_`, for the count of syncs that the kernel refused. */
  readonly failuresMetric: string;
  /** Absent: none. */
  readonly figures?: readonly ModeFigure[];
  /** How it can spread connections; the first is what it does by itself. Holds once `probe` has resolved: a kernel may lack a part. */
  readonly algorithms: readonly Algorithm[];
  /** Throws KERNEL_FEATURE_MISSING or TOOL_MISSING when this machine can serve neither family. To be called first. */
  probe(): Promise<void>;
  /** Takes up what an earlier proxy left, so that established connections do not notice. Throws the same as `probe` when this machine cannot serve that family. */
  open(node: NodeContext): Promise<ModeRules>;
  /**
   * Looks whether anybody else changed rules since the last time; what may be wrong is compared by the next sync. Where that takes long it is done in
   * parts, at least one in a call, until `isWaiting` says that a change waits. True when nothing is left to look at.
   */
  verify(isWaiting?: () => boolean): Promise<boolean>;
  /** Calls `onTouched` soon after somebody else changed the rules, or may have. */
  watch(onTouched: () => void): { close(): void };
  /** Sockets of this process at which it serves Services: they are nobody else's. Absent: none. */
  listeners?(): readonly Listener[];
  /**
   * Once another mode has its rules in place: the same as `cleanUp`, but for what still carries connections. True when nothing is left. Absent: it
   * carries none.
   */
  drain?(families?: readonly TableFamily[]): Promise<boolean>;
  /** Takes away all rules of this mode, of whichever proxy; those of some families alone, when these are said. */
  cleanUp(families?: readonly TableFamily[]): Promise<void>;
  /** Takes away what another proxy left of this mode where this one does not look. */
  cleanUpElsewhere?(families?: readonly TableFamily[]): Promise<void>;
  /** Takes nothing new; connections that it carries itself go on until `close`. Absent: the kernel carries them. */
  retire?(): void;
  close(): void;
}
