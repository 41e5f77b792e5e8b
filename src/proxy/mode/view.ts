/**
 * What a mode shows to people of its rules: what they would be, which are a Service's, what a sync would change, and the way of a packet
 * through them. `views.ts` lists those that do.
 */
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { Algorithm } from '../plan/algorithm.ts';
import type { NodeContext } from '../plan/node-context.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { Mode, ModeOptions } from './mode.ts';

/** The first packet of a connection. */
export interface FirstPacket {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** The interface it came in by; absent when the node itself sends it. */
  readonly interface?: string;
}

/** Refused by a TCP reset, or by ICMP, of which a kernel sends few. */
export type Refusal = 'tcp reset' | 'icmp';

/** What becomes of it. Where rules choose, `destinations` has every choice. */
export type Fate =
  | {
      readonly kind: 'passed';
      readonly destinations: readonly { readonly to: string; readonly port: number; readonly masqueraded: boolean }[];
    }
  | { readonly kind: 'refused'; readonly with: Refusal }
  | { readonly kind: 'dropped' };

/** A rule that a packet met and that said something to it. */
export interface TraceStep {
  /** Where the rule stands: chain `services`, or table and chain `nat KUBE-SERVICES`. */
  readonly place: string;
  readonly rule: string;
  /** What the rule's text does not say: what a map or a balancer gave. */
  readonly found?: string;
  /** No rule of the packet filter, whose trace therefore does not tell of it. */
  readonly isUntold?: boolean;
}

/** A rule as the kernel has it: by table, chain and number from 0. */
export interface HeldRule {
  readonly table: string;
  readonly chain: string;
  readonly index: number;
  /** In nft's syntax, of a form that is known. */
  readonly text: string | undefined;
}

/**
 * Follows a packet; of a connection that is remembered, as with affinity, the next packet is another. `onStep` is told of every rule that it may meet,
 * `onWay` of every way that it may take.
 */
export type Tracer = (packet: FirstPacket, onStep?: (step: TraceStep) => void, onWay?: (steps: readonly TraceStep[]) => void) => Fate;

/** What a node's kernel is to hold. */
export interface Rendered {
  /** As the mode's own tool writes it. */
  readonly text: string;
  /** The same for programs: plain data. */
  document(): object;
  /** A trace that remembers, as a kernel does, which endpoint a client got. `nodeIps` are the node's addresses, loopback included. */
  tracer(nodeIps: readonly string[]): Tracer;
}

/** A rule, an element of a set, a virtual server: as a command of its tool, and what it is for. */
export interface Explained {
  readonly text: string;
  readonly why: string;
}

/** One step that a sync would make, as a command of its tool. */
export interface Change {
  /** Whose it is, where one Service's (`namespace/name`). */
  readonly service?: string;
  readonly text: string;
  /** It moves by itself, as weights do that follow connections, and is no drift. */
  readonly isMoving?: boolean;
}

/** The mode at work, but that nothing is changed. */
export interface DryRun {
  readonly mode: Mode;
  /** What it would have changed by now. `plans` are those that it was told. */
  changes(plans: Iterable<ServicePlan>): Change[];
}

export interface ViewOptions extends ModeOptions {
  /** ipvs: addresses on the node's links. */
  readonly hostIps?: readonly string[];
  /** iptables: whether the kernel has accounts of packets, to which a rule may add. Default true, as in a kernel that lacks nothing. */
  readonly keepsAccounts?: boolean;
}

/** What a kernel holds of a mode. */
export interface Held {
  tracer(nodeIps: readonly string[]): Tracer;
  /** Rules that cannot be followed, and are passed over by the tracer. */
  readonly unread: readonly string[];
  /** A rule of nf_tables as a trace has it; undefined for one that is none of this mode's tables. */
  stepOf(rule: HeldRule): TraceStep | undefined;
  /** Why the kernel does not tell which of these rules a real packet meets. */
  readonly untold?: string;
}

export interface ModeView {
  /** As in `--proxy-mode`. */
  readonly name: string;
  /** As the mode has it on a kernel that lacks nothing. */
  readonly algorithms: readonly Algorithm[];
  /** Pure. */
  render(plans: Iterable<ServicePlan>, node: NodeContext, options?: ViewOptions): Rendered;
  /** Only what is one Service's. Pure. */
  explain(plan: ServicePlan, node: NodeContext, options?: ViewOptions): Explained[];
  /** The same with what the kernel of this network namespace was free to choose, such as slots, or lacks. Absent: nothing is. */
  explainHeld?(plan: ServicePlan, node: NodeContext, options?: ViewOptions): Promise<Explained[]>;
  /** In the network namespace of this process. Whoever asks closes the mode. */
  dryRun(options?: ModeOptions): DryRun;
  /** What the kernel of this network namespace holds; undefined when nothing of this mode. */
  read(family: TableFamily): Promise<Held | undefined>;
}
