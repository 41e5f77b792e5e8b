/** Whether a machine fits the cluster that it joins: its name, its address and its clock against those that are there. */
import type { Client } from '../../client/client.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { check } from '../preflight/check.ts';
import type { Facts } from '../preflight/facts.ts';
import { refuseObstacles } from '../preflight/preflight.ts';
import type { SetupContext } from '../setup-context.ts';
import { clusterFacts } from './cluster-facts.ts';

/** A machine that is gone, and whose name another one takes, is Ready until the control plane has missed it: 40 s. */
const graceMs = 60_000;
const againMs = 1_000;

type Context = Pick<SetupContext, 'clock' | 'signal' | 'steps' | 'timeoutMs'>;

/** Throws CHECK_FAILED with what stands in the way. Waits for a control plane that is away, and for the end of a node of the same name. */
export async function fitCluster(
  context: Context,
  client: Pick<Client, 'list' | 'get' | 'transport' | 'server'>,
  facts: Facts,
  ignored: readonly string[],
  told: Set<string>,
): Promise<void> {
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
      const found = { ...facts, ...(await clusterFacts(client, context)) };
      const taken = check(found).find(({ id }) => id === 'NodeNameTaken');
      if (!taken || !hasTime(graceMs)) return refuseObstacles(found, ignored, steps, told);
      await wait(taken.cause);
    } catch (err) {
      if (!isKnownError(err, 'API_UNREACHABLE') || !hasTime(timeoutMs)) throw err;
      await wait(err.message);
    }
  }
}
