/** Whether a node that joins again joins the cluster that it is in: by the pins of its authority, and without any by who answers there. */

import { ApiError } from '../../client/api-error.ts';
import { Client } from '../../client/client.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { isKnownError, KnownError, systemCode } from '../../errors/known-error.ts';
import { pinned } from '../discovery/public-key-hash.ts';
import { layout } from '../layout.ts';
import type { SetupContext } from '../setup-context.ts';

const againMs = 1_000;
const requestMs = 10_000;
/** OpenSSL's, for a certificate that another authority has signed; two authorities may have one name. */
const ofAnother = /^(CERT_SIGNATURE_FAILURE|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;

type Context = Pick<SetupContext, 'clock' | 'signal' | 'steps' | 'timeoutMs'>;

/** Needs no token: that of the first run may have expired. `endpoint` is `HOST:PORT`. Throws CHECK_FAILED, or API_UNREACHABLE. */
export async function requireSameCluster(
  context: Context,
  { ca, server }: Pick<ClientConfig, 'ca' | 'server'>,
  endpoint: string,
  hashes: readonly string[],
): Promise<void> {
  const isSame =
    hashes.length > 0 ? pinned(ca ?? '', hashes).length > 0 : await isSignedFor(context, { server: `https://${endpoint}`, ca: ca ?? '' });
  if (isSame) return;
  throw new KnownError('CHECK_FAILED', `Cannot join the cluster at ${endpoint}: this machine is a node of another, that of ${server}`, {
    hint: `${layout.kubeletConfig} has another authority. To leave that cluster: fairlead reset; then join again`,
  });
}

/** Whether the authority has signed for who answers there. Waits for somebody who does. */
async function isSignedFor(context: Context, config: { readonly server: string; readonly ca: string }): Promise<boolean> {
  const { clock, signal, steps, timeoutMs } = context;
  const client = new Client({ ...config, timeoutMs: requestMs });
  const deadline = clock.monotonic() + timeoutMs;
  let said = '';
  try {
    for (;;) {
      const found = await look(client, signal);
      if (typeof found === 'boolean') return found;
      if (clock.monotonic() > deadline) throw found;
      if (found.message !== said) steps.note(`Waiting: ${found.message}`);
      said = found.message;
      await clock.sleep(againMs, signal);
    }
  } finally {
    client.close();
  }
}

/** One look: what the handshake tells, or why there was none. */
async function look(client: Client, signal: AbortSignal): Promise<boolean | KnownError> {
  try {
    await client.raw('GET', '/version', { signal });
    return true;
  } catch (err) {
    if (err instanceof ApiError) return true;
    if (!isKnownError(err, 'API_UNREACHABLE')) throw err;
    return ofAnother.test(systemCode(err.cause) ?? '') ? false : err;
  }
}
