/** Takes a serving certificate that was renewed into use without a restart. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { KubeletServer, KubeletServerOptions } from './kubelet-server.ts';

type Tls = KubeletServerOptions['tls'];

/** A look costs nothing, and sees a file that was replaced in any way: written over, renamed, reached by a link. */
const lookMs = 30_000;
/** A node that has just joined shows one that nobody trusts until it has been given its first: logs of its pods wait for that. */
const firstLookMs = 1_000;
const firstMs = 60_000;

/** Runs until the signal aborts. `read` gives what the files hold now. */
export async function keepCertificate(
  server: Pick<KubeletServer, 'renew'>,
  first: Tls,
  options: { readonly read: () => Promise<Tls>; readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const { read, clock, log, signal } = options;
  let known = first;
  let said = '';
  const began = clock.monotonic();
  while (!signal.aborted) {
    await clock.sleep(clock.monotonic() - began < firstMs ? firstLookMs : lookMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      const now = await read();
      if (isDeepStrictEqual(now, known)) continue;
      server.renew(now);
      known = now;
      said = '';
      log.info('the serving certificate was renewed');
    } catch (err) {
      // One of two files may be there already, the other a moment later.
      const why = messageOf(err);
      if (why !== said) log.warn(`Cannot use the renewed serving certificate, the one before stays: ${why}`);
      said = why;
    }
  }
}
