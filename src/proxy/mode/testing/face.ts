/**
 * What a mode brings to the scenarios of `rules/`: its golden file, a trace, and the way into a kernel. `faces.ts` lists them; `test/rules` knows
 * no mode's name.
 */

import type { Clock } from '../../../clock/clock.ts';
import type { Exec } from '../../../linux/exec.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { Mode } from '../mode.ts';
import type { Refusal, Rendered } from '../view.ts';

export interface ModeFace {
  /** As in `--proxy-mode`. */
  readonly name: string;
  /** The file in each folder of `rules/scenarios`. */
  readonly golden: string;
  /** As the mode has it on a kernel that lacks nothing. */
  readonly algorithms: readonly Algorithm[];
  /** Whether clients keep their endpoint by source-hash when another endpoint goes. */
  readonly keepsHashedClients?: boolean;
  /** Whether a Service that asks for nothing has its endpoints take turns. */
  readonly takesTurns?: boolean;
  /** Commands of sh by which somebody takes its rules away: all, or a part. */
  readonly damages: readonly string[];
  /** One after which the kernel ends established connections, too. Absent: none does. */
  readonly cuts?: string;
  /** The sync period by which such is found where the kernel tells nobody. Absent: it tells. */
  readonly looksEveryMs?: number;
  /** What it counts the moment that it happens, and none more. */
  readonly counts: readonly ('endpoints' | 'refusals')[];
  /** How it refuses a TCP connection. */
  readonly refusesTcpBy: Refusal;
  /** Pure. */
  render(plans: Iterable<ServicePlan>, node: NodeContext): Rendered;
  /** What the kernel of this machine lacks for it, in words; undefined when nothing. */
  lacking(): Promise<string | undefined>;
  /** The mode at work in a network namespace (a path). Whoever asks closes it. `exec` runs programs there where this process is slow at it. */
  open(namespace: string, clock?: Clock, exec?: Exec): Mode;
  /** Asserts that the kernel's own tool lists in the namespace what the golden file has. */
  checkListing(namespace: string, golden: string, node: NodeContext): Promise<void>;
}
