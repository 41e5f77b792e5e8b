/** What every controller gets, and how it is started. */
import type { Client } from '../client/client.ts';
import { Controller, type Reconciler } from '../client/controller.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';

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

/** Runs what `make` gives as keyed controllers. */
export function keyed(...makers: readonly ((context: ControllerContext) => Reconciler)[]): RunController {
  return async (context) => {
    const { clock, log, signal } = context;
    const controllers = makers.map((make) => new Controller({ reconciler: make(context), clock, log }));
    await Promise.all(controllers.map((controller) => controller.run(signal)));
  };
}
