/** Whether the server that is to run here can use a store: its files first, as the service will see them, and then the store itself. */
import { isAbsolute } from 'node:path';
import { storeFiles } from '../config/shared-store.ts';
import type { StoreFact } from '../preflight/facts.ts';
import type { SetupContext } from '../setup-context.ts';

const againMs = 1_000;

export interface StoreContext extends Pick<SetupContext, 'askStore' | 'signal' | 'timeoutMs'> {
  readonly clock: Pick<SetupContext['clock'], 'monotonic' | 'sleep'>;
  readonly keeper: Pick<SetupContext['keeper'], 'hides'>;
  readonly steps: Pick<SetupContext['steps'], 'note'>;
}

/**
 * Undefined for a store that is on this machine alone. Waits for one that does not answer, and says so: an etcd whose second member has been added and has
 * not come up yet has no majority.
 */
export async function reachStore(context: StoreContext, store: string): Promise<StoreFact | undefined> {
  const { askStore, clock, keeper, signal, steps, timeoutMs } = context;
  for (const path of Object.values(storeFiles(store))) {
    const why = isAbsolute(path) ? await keeper.hides(path) : 'it is no absolute path';
    if (why !== undefined)
      return {
        refusal: {
          cause: `the server cannot read ${path}, which its store needs: ${why}`,
          cure: `Copy it to where root's keys are, and name that: install -D -m 600 ${path} /etc/kubernetes/pki/store/…`,
        },
      };
  }
  const deadline = clock.monotonic() + timeoutMs;
  let said = '';
  for (;;) {
    const answer = await askStore(store);
    const refusal = answer !== undefined && 'refusal' in answer ? answer.refusal : undefined;
    if (!refusal?.isAway || clock.monotonic() >= deadline) return answer;
    // How long it was tried is part of some causes, and nothing new.
    const why = refusal.cause.replace(/\d+(\.\d+)?s/g, '');
    if (why !== said) steps.note(`Waiting: ${refusal.cause}. ${refusal.cure}`);
    said = why;
    await clock.sleep(againMs, signal);
  }
}
