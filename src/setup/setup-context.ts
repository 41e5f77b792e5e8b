import type { Clock } from '../clock/clock.ts';
import type { Exec } from '../linux/exec.ts';
import type { StoreFact } from './preflight/facts.ts';
import type { RuntimeFacts } from './preflight/gather.ts';
import type { Keeper } from './service/service.ts';
import type { Steps } from './steps.ts';

export interface CredentialOptions {
  readonly nodeName: string;
  readonly bootstrapKubeconfig: string;
  readonly kubeconfig: string;
  readonly certDir: string;
  readonly onWait: (why: string) => void;
  readonly signal: AbortSignal;
}

/** What "fairlead init", "join" and "reset" do their work with. */
export interface SetupContext {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly steps: Steps;
  readonly keeper: Keeper;
  /** Asks the container runtime at this CRI endpoint. */
  readonly readRuntime: (endpoint: string) => Promise<RuntimeFacts>;
  /** Reads the URL, and opens a store that machines share as an API server does, to see whether it is empty; undefined for another. */
  readonly askStore: (url: string) => Promise<StoreFact | undefined>;
  /**
   * Gets the client certificate of a node by a bootstrap kubeconfig, and writes the kubeconfig that names it. Resolves at once when
   * it is there. Waits, and tells why.
   */
  readonly getCredential: (options: CredentialOptions) => Promise<void>;
  /** How long each thing that is waited for may take. */
  readonly timeoutMs: number;
}
