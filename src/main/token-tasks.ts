/** What `fairlead token` does, with what only it loads. */
import { type BootstrapToken, bootstrapGroupPattern, bootstrapTokenUsages } from '../api/bootstrap-token.ts';
import { type Column, outputFormat, renderOutput } from '../cli/output.ts';
import { Client } from '../client/client.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { systemClock } from '../clock/clock.ts';
import { formatDuration } from '../clock/duration.ts';
import { timestamp } from '../clock/timestamp.ts';
import { KnownError } from '../errors/known-error.ts';
import { parseCertificateKey } from '../setup/control-plane/certificate-key.ts';
import { controlPlaneJoin, createToken, deleteToken, joinCommandFor, listTokens } from '../setup/token/cluster-tokens.ts';
import { newToken, parseToken, tokenText } from '../setup/token/token.ts';
import { durationOf } from './setup-flags.ts';

/** Calls with a client that is closed after it. */
async function withClient<T>(given: string | undefined, act: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(await loadKubeconfig(given ?? process.env.KUBECONFIG ?? '/etc/kubernetes/admin.conf'));
  try {
    return await act(client);
  } finally {
    client.close();
  }
}

export interface TokenWish {
  readonly kubeconfig: string | undefined;
  readonly ttl: string;
  readonly usages: string;
  readonly groups: string;
  readonly description: string;
  readonly 'certificate-key': string | undefined;
  readonly 'print-join-command': boolean;
}

/** Gives the line to print. Throws USAGE. */
export async function create(wish: TokenWish, given: string | undefined): Promise<string> {
  const token = given === undefined ? newToken() : parseToken(given);
  const ttlMs = durationOf('ttl', wish.ttl);
  const key = wish['certificate-key'] === undefined ? undefined : parseCertificateKey(wish['certificate-key']);
  const wanted: BootstrapToken = {
    ...token,
    description: wish.description || undefined,
    expiration: ttlMs === 0 ? undefined : timestamp(systemClock.now() + ttlMs),
    usages: wordsOf('usages', wish.usages, (word) => bootstrapTokenUsages.some((usage) => usage === word), bootstrapTokenUsages.join(',')),
    groups: wordsOf('groups', wish.groups, (word) => bootstrapGroupPattern.test(word), 'system:bootstrappers:NAME'),
  };
  return await withClient(wish.kubeconfig, async (client) => {
    await createToken(client, wanted);
    if (!wish['print-join-command']) return tokenText(token);
    const command = await joinCommandFor(client, token);
    return key === undefined ? command : controlPlaneJoin(command, key);
  });
}

/** Throws USAGE for a word that does not fit. */
function wordsOf(flag: string, text: string, fits: (word: string) => boolean, example: string): string[] {
  const words = text.split(',').filter(Boolean);
  const wrong = words.find((word) => !fits(word));
  if (wrong === undefined) return words;
  throw new KnownError('USAGE', `Cannot use --${flag}="${text}": "${wrong}" is none`, { hint: `Write it as --${flag}=${example}` });
}

function columnsAt(now: number): readonly Column<BootstrapToken>[] {
  const left = ({ expiration }: BootstrapToken): string => {
    const ms = expiration === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiration) - now;
    if (ms === Number.POSITIVE_INFINITY) return '<forever>';
    return ms > 0 ? formatDuration(Math.floor(ms / 1000) * 1000) : '<invalid>';
  };
  const some = (words: readonly string[]): string => words.join(',') || '<none>';
  return [
    { title: 'TOKEN', cell: ({ id, secret }) => `${id}.${secret}` },
    { title: 'TTL', cell: left },
    { title: 'EXPIRES', cell: ({ expiration }) => expiration ?? '<never>' },
    { title: 'USAGES', cell: ({ usages }) => some([...usages].toSorted()) },
    { title: 'DESCRIPTION', cell: ({ description }) => description ?? '<none>' },
    { title: 'EXTRA GROUPS', cell: ({ groups }) => some(groups) },
  ];
}

/** Gives the text to print. */
export async function list(kubeconfig: string | undefined, output: string): Promise<string> {
  const tokens = await withClient(kubeconfig, listTokens);
  const document = tokens.map(({ id, secret, expiration, ...token }) => ({ token: `${id}.${secret}`, expires: expiration, ...token }));
  return renderOutput(outputFormat(output), document, tokens, columnsAt(systemClock.now()), ({ id }) => id);
}

/** Tells each that is gone. Throws USAGE. */
export async function remove(kubeconfig: string | undefined, tokens: readonly string[], tell: (id: string) => void): Promise<void> {
  const ids = tokens.map(idOf);
  if (ids.length === 0) throw new KnownError('USAGE', 'Cannot delete a token: none is given', { hint: 'fairlead token list shows them' });
  await withClient(kubeconfig, async (client) => {
    for (const id of ids) {
      await deleteToken(client, id);
      tell(id);
    }
  });
}

/** Of the token, or the id alone. */
function idOf(text: string): string {
  const [, id] = /^([a-z0-9]{6})(?:\.[a-z0-9]{16})?$/.exec(text) ?? [];
  if (id !== undefined) return id;
  throw new KnownError('USAGE', 'Cannot delete this token: it has not the form of a token or of its id', {
    hint: 'Six of a-z and 0-9, or the whole: abcdef, abcdef.0123456789abcdef',
  });
}
