/** Whether a machine fits the cluster that it joins: its name, its address and its clock against those that are there. */
import type { Client } from '../../client/client.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { check } from '../preflight/check.ts';
import type { Facts } from '../preflight/facts.ts';
import { refuseObstacles } from '../preflight/preflight.ts';
import type { SetupContext } from '../setup-context.ts';
import type { Token } from '../token/token.ts';
import { clusterFacts } from './cluster-facts.ts';

/** A machine that is gone, and whose name another one takes, is Ready until the control plane has missed it: 40 s. */
const graceMs = 60_000;
const againMs = 1_000;

export interface FitRequest {
  readonly facts: Facts;
  /** This machine's, of the families of the cluster. */
  readonly addressesFor: (families: Facts['families']) => Promise<readonly string[]>;
  readonly ignored: readonly string[];
  /** By which the cluster is asked; undefined for a machine that has a certificate of it. */
  readonly token: Token | undefined;
  /** What was said before. */
  readonly told: Set<string>;
}

type Context = Pick<SetupContext, 'clock' | 'signal' | 'steps' | 'timeoutMs'>;

/**
 * Gives the facts with what the cluster knows. Throws CHECK_FAILED with what stands in the way. Waits for a control plane that is away, and for the end of
 * a node of the same name.
 */
export async function fitCluster(
  context: Context,
  client: Pick<Client, 'list' | 'get' | 'transport' | 'server'>,
  { facts, addressesFor, ignored, token, told }: FitRequest,
): Promise<Facts> {
  const { clock, signal, steps, timeoutMs } = context;
  const began = clock.monotonic();
  const hasTime = (ms: number): boolean => clock.monotonic() - began < Math.min(ms, timeoutMs);
  let said = '';
  const wait = async (why: string): Promise<void> => {
    if (why !== said) steps.note(`Waiting: ${why}`);
    said = why;
    await clock.sleep(againMs, signal);
  };
  for (;;) {
    try {
      const known = await clusterFacts(client, token, context);
      const found = { ...facts, ...known, addresses: await addressesFor(known.families) };
      const taken = check(found).find(({ id }) => id === 'NodeNameTaken');
      if (!taken || !hasTime(graceMs)) {
        refuseObstacles(found, ignored, steps, told);
        return found;
      }
      await wait(taken.cause);
    } catch (err) {
      if (!isKnownError(err, 'API_UNREACHABLE') || !hasTime(timeoutMs)) throw err;
      await wait(err.message);
    }
  }
}
