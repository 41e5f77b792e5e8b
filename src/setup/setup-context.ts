import type { Clock } from '../clock/clock.ts';
import type { Exec } from '../linux/exec.ts';
import type { RuntimeFacts } from './preflight/gather.ts';
import type { Keeper } from './service/service.ts';
import type { Steps } from './steps.ts';

/** What "fairlead init", "join" and "reset" do their work with. */
export interface SetupContext {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly steps: Steps;
  readonly keeper: Keeper;
  /** Asks the container runtime at this CRI endpoint. */
  readonly readRuntime: (endpoint: string) => Promise<RuntimeFacts>;
  /** How long each thing that is waited for may take. */
  readonly timeoutMs: number;
}
