/**
 * From an address, a token and the hash of the authority's key to an authority that can be trusted, as kubeadm's token discovery does it.
 * The first answer is believed by nobody until its signature and the hash have been checked; the token itself is never sent before.
 */
import { parse } from 'yaml';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import { ApiError, isOutOfTime } from '../../client/api-error.ts';
import { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { isKnownError, KnownError, messageOf } from '../../errors/known-error.ts';
import { type Token, tokenText } from '../token/token.ts';
import { type ClusterInfo, clusterInfoName, clusterInfoNamespace, readClusterInfo, verifyClusterInfo } from './cluster-info.ts';
import { pinned, publicKeyHash } from './public-key-hash.ts';

export interface DiscoveryOptions {
  /** `HOST:PORT` of the control plane. */
  readonly address: string;
  readonly token: Token;
  /** Pins of the authority's key; empty only where somebody has said that any will do. */
  readonly hashes: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the control plane may take to come up, and to sign for the token. */
  readonly timeoutMs: number;
  /** Told once for each reason why it waits. */
  readonly onWait: (why: string) => void;
}

const againMs = 1_000;
const requestMs = 10_000;

/** What the control plane says of itself, checked. Throws what no waiting would mend at once, else API_UNREACHABLE or TIMED_OUT. */
export async function discover(options: DiscoveryOptions): Promise<ClusterInfo> {
  const { clock, signal, timeoutMs, onWait } = options;
  const deadline = clock.monotonic() + timeoutMs;
  let told = '';
  for (;;) {
    const found = await attempt(options);
    if (!('waiting' in found)) return found;
    if (clock.monotonic() > deadline) throw found.waiting;
    if (found.waiting.message !== told) onWait(found.waiting.message);
    told = found.waiting.message;
    await clock.sleep(againMs, signal);
  }
}

/** One look: the answer, what may be different in a moment, or a throw. */
async function attempt(options: DiscoveryOptions): Promise<ClusterInfo | { readonly waiting: KnownError }> {
  const { address, token, hashes } = options;
  const server = `https://${address}`;
  const unchecked = await read({ server, insecureSkipTlsVerify: true }, options);
  if (unchecked instanceof KnownError) return { waiting: unchecked };
  const signature = verifyClusterInfo(unchecked, token);
  if (signature === 'unsigned') return { waiting: unknownToken(server, token) };
  if (signature === 'forged') throw forged(server, token);
  const info = readClusterInfo(unchecked, parse);
  if (!info) throw refused(server, 'its cluster-info holds no authority', 'Is it a control plane of "fairlead init" or of kubeadm?');
  const trusted = hashes.length === 0 ? [info.caPem] : pinned(info.caPem, hashes);
  if (trusted.length === 0) throw wrongHash(server, info);
  // Again over a connection that is checked: whoever sat in between the first time cannot now.
  const checked = await read({ server, ca: trusted.join('\n') }, options);
  if (checked instanceof KnownError) throw checked;
  if (checked.data?.kubeconfig !== unchecked.data?.kubeconfig) throw forged(server, token);
  return info;
}

/** The ConfigMap, or why it is not there yet. */
async function read(
  config: { readonly server: string; readonly ca?: string; readonly insecureSkipTlsVerify?: boolean },
  { signal }: DiscoveryOptions,
): Promise<ConfigMap | KnownError> {
  const client = new Client({ ...config, timeoutMs: requestMs });
  try {
    return await client.get<ConfigMap>(configMaps, clusterInfoName, { namespace: clusterInfoNamespace, signal });
  } catch (err) {
    if (signal.aborted) throw err;
    return unreachable(config.server, err);
  } finally {
    client.close();
  }
}

function unreachable(server: string, err: unknown): KnownError {
  const why = err instanceof ApiError ? `it answers ${err.code}: ${err.message}` : messageOf(isKnownError(err) ? (err.cause ?? err) : err);
  return new KnownError('API_UNREACHABLE', `Cannot reach the control plane at ${server}: ${why}`, {
    cause: err,
    hint: isOutOfTime(err)
      ? 'Compare the clocks: date -u here and there. Set this one by NTP: timedatectl set-ntp true'
      : `Is it up, and is its port open from here? Try: curl -k ${server}/version`,
  });
}

function refused(server: string, why: string, hint: string): KnownError {
  return new KnownError('CHECK_FAILED', `Cannot trust ${server}: ${why}`, { hint });
}

function unknownToken(server: string, token: Token): KnownError {
  return new KnownError(
    'CHECK_FAILED',
    `Cannot join by token "${token.id}": ${server} has not signed for it: it is unknown there, or has expired`,
    {
      hint: 'On the control plane: fairlead token create --print-join-command',
    },
  );
}

/** To those who show it, once the authority is trusted. */
export function refusedToken(server: string, token: Token, cause: unknown): KnownError {
  return new KnownError(
    'CHECK_FAILED',
    `Cannot join by token "${token.id}": ${server} does not take it: it has ended since, or is not for authentication`,
    { cause, hint: 'On the control plane: fairlead token create --print-join-command' },
  );
}

function forged(server: string, token: Token): KnownError {
  return refused(
    server,
    `its cluster-info is not signed with the token "${token.id}"`,
    'Either the secret of the token is mistyped, or somebody between here and there has changed it',
  );
}

function wrongHash(server: string, { caPem }: ClusterInfo): KnownError {
  return refused(
    server,
    `its authority has the hash ${publicKeyHash(caPem)}, which is not the one that was given`,
    'Take --discovery-token-ca-cert-hash from the control plane itself: "fairlead init" prints it. It is another cluster, or somebody in between',
  );
}

/** Where the token can be used. */
export function bootstrapClient({ server, caPem }: ClusterInfo, token: Token): Client {
  return new Client({ server, ca: caPem, token: tokenText(token), timeoutMs: requestMs });
}
