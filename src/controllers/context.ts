import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';

/** What every controller gets. */
export interface ControllerContext {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** PEM of the authority that signed the API server's certificate; published in every namespace. */
  readonly rootCa: string;
  /** The range from which nodes get their podCIDR; absent: nodes bring their own. */
  readonly clusterCidr?: string;
  /** Default 24. */
  readonly nodeCidrMaskSize?: number;
}

/** Runs until the signal aborts. */
export type RunController = (context: ControllerContext) => Promise<void>;
