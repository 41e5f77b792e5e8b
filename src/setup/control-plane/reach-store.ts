/** Whether the server that is to run here can use a store: its files first, as the service will see them, and then the store itself. */
import { isAbsolute } from 'node:path';
import { storeFiles } from '../config/shared-store.ts';
import type { StoreFact } from '../preflight/facts.ts';
import type { SetupContext } from '../setup-context.ts';

/** Undefined for a store that is on this machine alone. */
export async function reachStore(
  { askStore, keeper }: { readonly askStore: SetupContext['askStore']; readonly keeper: Pick<SetupContext['keeper'], 'hides'> },
  store: string,
): Promise<StoreFact | undefined> {
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
  return await askStore(store);
}
