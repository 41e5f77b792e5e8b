/**
 * What a mode brings to the scenarios of `rules/`: its golden file, a trace, and the way into a kernel. `faces.ts` lists them; `test/rules` knows
 * no mode's name.
 */

import type { Clock } from '../../../clock/clock.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { Mode } from '../mode.ts';

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

/** What a node's kernel is to hold. */
export interface Rendered {
  /** What the golden file has: as the mode's own tool writes it. */
  readonly text: string;
  /** A trace that remembers, as a kernel does, which endpoint a client got. `nodeIps` are the node's addresses, loopback included. */
  tracer(nodeIps: readonly string[]): (packet: FirstPacket) => Fate;
}

export interface ModeFace {
  /** As in `--proxy-mode`. */
  readonly name: string;
  /** The file in each folder of `rules/scenarios`. */
  readonly golden: string;
  /** As the mode has it on a kernel that lacks nothing. */
  readonly algorithms: readonly Algorithm[];
  /** Whether clients keep their endpoint by source-hash when another endpoint goes. */
  readonly keepsHashedClients?: boolean;
  /** How it refuses a TCP connection. */
  readonly refusesTcpBy: Refusal;
  /** Pure. */
  render(plans: Iterable<ServicePlan>, node: NodeContext): Rendered;
  /** What the kernel of this machine lacks for it, in words; undefined when nothing. */
  lacking(): Promise<string | undefined>;
  /** The mode at work in a network namespace (a path). Whoever asks closes it. */
  open(namespace: string, clock?: Clock): Mode;
  /** Asserts that the kernel's own tool lists in the namespace what the golden file has. */
  checkListing(namespace: string, golden: string, node: NodeContext): Promise<void>;
}
