/** The bootstrap tokens of a new cluster. */
import { bootstrapTokenLifeMs, bootstrapTokenNamespace, bootstrapTokenOf, bootstrapTokenType } from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { parseDuration } from '../../clock/duration.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { BootstrapToken, Documents } from '../config/documents.ts';
import { newToken, parseToken, type Token, tokenSecret, tokenText } from '../token/token.ts';
import { ensureObjects } from './ensure-objects.ts';

export interface TokenWish {
  /** One that was agreed upon before. */
  readonly token: string | undefined;
  /** Milliseconds; 0 for a token that stays. */
  readonly tokenTtlMs: number;
  readonly documents: Documents;
}

/** What a token that was made before must have left to be told again. */
const leastLifeMs = 600_000;
/** By it a second run finds the token of the first. */
const tokenDescription = 'made by "fairlead init"';

/** The tokens that were asked for; without any, that of an earlier run, or a new one. Gives the one to tell. */
export async function ensureTokens(
  client: Client,
  { token, tokenTtlMs, documents }: TokenWish,
  now: number,
): Promise<{ readonly token: Token; readonly changed: boolean }> {
  const listed: readonly BootstrapToken[] = token === undefined ? (documents.init?.bootstrapTokens ?? []) : [{ token }];
  const wanted = listed.map((one) => secretOf(one, tokenTtlMs, now));
  const [first] = listed;
  if (first) return { token: parseToken(first.token), changed: await ensureObjects(client, wanted) };
  const earlier = await findToken(client, now);
  if (earlier) return { token: earlier, changed: false };
  const made = newToken();
  return { token: made, changed: await ensureObjects(client, [secretOf({ token: tokenText(made) }, tokenTtlMs, now)]) };
}

function secretOf(
  { token, description = tokenDescription, ttl, expires, usages, groups }: BootstrapToken,
  presetMs: number,
  now: number,
): Secret {
  const ttlMs = ttl === undefined ? presetMs : parseDuration(ttl);
  if (ttlMs === undefined)
    throw new KnownError('BAD_CONFIG', `Cannot use "bootstrapTokens.ttl" "${ttl}": it is no duration`, { hint: 'Write it as 24h0m0s' });
  const end = expires === undefined ? (ttlMs > 0 ? now + ttlMs : undefined) : Date.parse(expires);
  return tokenSecret({ token: parseToken(token), description, expires: end, usages, groups });
}

async function findToken(client: Client, now: number): Promise<Token | undefined> {
  const { items } = await client.list<Secret>(secrets, { namespace: bootstrapTokenNamespace, fieldSelector: `type=${bootstrapTokenType}` });
  const lasting = items.filter((secret) => bootstrapTokenLifeMs(secret, now) > leastLifeMs);
  return lasting.map(bootstrapTokenOf).find((found) => found?.description === tokenDescription);
}
