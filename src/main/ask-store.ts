/** Whether a store can be used from this machine, for those who make a control plane of it. */
import { isKnownError, messageOf } from '../errors/known-error.ts';
import { isShared } from '../setup/config/shared-store.ts';
import type { StoreFact } from '../setup/preflight/facts.ts';
import { checkStoreUrl, openStore } from '../storage/open.ts';

/** Opens it as an API server does; of one that is on this machine alone it reads the URL. */
export async function askStore(url: string): Promise<StoreFact | undefined> {
  try {
    await checkStoreUrl(url);
    if (!isShared(url)) return undefined;
    await using store = await openStore(url, {});
    const { count } = await store.range('/registry/', '/registry0', { limit: 1 });
    const info = await store.get('/registry/configmaps/kube-public/cluster-info');
    return { isEmpty: count === 0, authority: authorityIn(Buffer.from(info?.value ?? '').toString('latin1')) };
  } catch (err) {
    const cure = isKnownError(err) ? err.hint : undefined;
    return { refusal: { cause: messageOf(err), cure: cure ?? 'See the log of the store', isAway: isKnownError(err, 'STORE_UNAVAILABLE') } };
  }
}

/** Whoever has written it, the kubeconfig in it is text, and quoted in one way or another. Pure. */
export function authorityIn(record: string): string | undefined {
  const [, base64] = /certificate-authority-data[\\"]*:\s*[\\"]*([A-Za-z0-9+/]+=*)/.exec(record) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString();
}
