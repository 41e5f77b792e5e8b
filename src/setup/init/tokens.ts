/** The bootstrap tokens of a new cluster. */
import { isDeepStrictEqual } from 'node:util';
import {
  type BootstrapToken,
  bootstrapGroupPattern,
  bootstrapTokenLifeMs,
  bootstrapTokenName,
  bootstrapTokenNamespace,
  bootstrapTokenOf,
  bootstrapTokenType,
  bootstrapTokenUsages,
} from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { parseDuration } from '../../clock/duration.ts';
import { parseInstant } from '../../clock/timestamp.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Documents, BootstrapToken as TokenDocument } from '../config/documents.ts';
import { newToken, parseToken, type Token, type TokenOptions, tokenSecret } from '../token/token.ts';

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

/** One that is asked for; without `token` it is drawn, unless a run before has. */
export type PlannedToken = Omit<TokenOptions, 'token'> & { readonly token: Token | undefined };

/** The tokens that are asked for, the first of which is to be told; none where any will do. `now` is milliseconds since the epoch. Pure. Throws USAGE, BAD_CONFIG. */
export function plannedTokens({ token, tokenTtlMs, documents }: TokenWish, now: number): PlannedToken[] {
  const listed: readonly TokenDocument[] = token === undefined ? (documents.init?.bootstrapTokens ?? []) : [{ token }];
  return listed.map((one) => planned(one, tokenTtlMs, now));
}

function planned(
  { token, description = tokenDescription, usages, groups, ...end }: TokenDocument,
  presetMs: number,
  now: number,
): PlannedToken {
  requireWords('usages', usages, (word) => bootstrapTokenUsages.some((usage) => usage === word), bootstrapTokenUsages.join(', '));
  requireWords('groups', groups, (word) => bootstrapGroupPattern.test(word), 'system:bootstrappers:NAME');
  return { token: token ? parseToken(token) : undefined, description, expires: endOf(end, presetMs, now), usages, groups };
}

function endOf({ ttl, expires }: Pick<TokenDocument, 'ttl' | 'expires'>, presetMs: number, now: number): number | undefined {
  if (expires !== undefined) {
    const instant = parseInstant(expires);
    if (instant) return instant.seconds * 1000;
    throw refused('expires', expires, 'it is no time', 'Write it as 2030-01-01T00:00:00Z');
  }
  const ttlMs = ttl === undefined ? presetMs : parseDuration(ttl);
  if (ttlMs === undefined || ttlMs < 0) throw refused('ttl', ttl ?? '', 'it is no duration', 'Write it as 24h0m0s');
  return ttlMs > 0 ? now + ttlMs : undefined;
}

function requireWords(field: string, words: readonly string[] | undefined, fits: (word: string) => boolean, example: string): void {
  const wrong = words?.find((word) => !fits(word));
  if (wrong !== undefined) throw refused(field, wrong, 'no token may have it', `It takes ${example}`);
}

function refused(field: string, text: string, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use "bootstrapTokens.${field}" "${text}": ${why}`, { hint });
}

/** Makes the tokens that are planned; without any finds that of an earlier run, or makes a new one. Gives the one to tell. */
export async function ensureTokens(
  client: Client,
  { planned: all, tokenTtlMs }: { readonly planned: readonly PlannedToken[]; readonly tokenTtlMs: number },
  now: number,
): Promise<{ readonly token: Token; readonly changed: boolean }> {
  if (all.length === 0) {
    const [earlier] = (await lastingTokens(client, now)).filter(({ description }) => description === tokenDescription);
    if (earlier) return { token: earlier, changed: false };
    const made: TokenOptions = { token: newToken(), description: tokenDescription, expires: endOf({}, tokenTtlMs, now) };
    return { token: made.token, changed: await ensureToken(client, made, now) };
  }
  const wanted = await drawn(client, all, now);
  let changed = false;
  for (const one of wanted) changed = (await ensureToken(client, one, now)) || changed;
  return { token: wanted[0]?.token ?? newToken(), changed };
}

/** Each with a token: where none is said that of an earlier run for the same, or a new one, as kubeadm draws it. */
async function drawn(client: Client, all: readonly PlannedToken[], now: number): Promise<TokenOptions[]> {
  const taken = new Set(all.flatMap(({ token }) => token?.id ?? []));
  const found = all.some(({ token }) => token === undefined) ? await lastingTokens(client, now) : [];
  return all.map((one) => {
    if (one.token !== undefined) return { ...one, token: one.token };
    const token = found.find((earlier) => !taken.has(earlier.id) && isForSame(earlier, { ...one, token: earlier })) ?? newToken();
    taken.add(token.id);
    return { ...one, token };
  });
}

function isForSame(earlier: BootstrapToken, wanted: TokenOptions): boolean {
  const { expiration: _, ...purpose } = earlier;
  const { expiration: __, ...wished } = bootstrapTokenOf(tokenSecret(wanted)) ?? {};
  return isDeepStrictEqual(purpose, wished);
}

/** As kubeadm does: what was said last holds. Whether there was anything to do. */
async function ensureToken(client: Client, wanted: TokenOptions, now: number): Promise<boolean> {
  const secret = tokenSecret(wanted);
  const found = await client
    .get<Secret>(secrets, bootstrapTokenName(wanted.token.id), { namespace: bootstrapTokenNamespace })
    .catch(ignoreNotFound);
  if (!found) await client.create<Secret>(secrets, secret);
  else if (isAlike(found, secret, now)) return false;
  else await client.update<Secret>(secrets, { ...found, data: secret.data ?? {} });
  return true;
}

/** A time to live begins anew with each run: what ends within the same ten minutes is left as it is. */
function isAlike(found: Secret, wanted: Secret, now: number): boolean {
  const [left, wished] = [bootstrapTokenLifeMs(found, now), bootstrapTokenLifeMs(wanted, now)];
  const withoutEnd = (secret: Secret): Partial<BootstrapToken> => ({ ...bootstrapTokenOf(secret), expiration: undefined });
  return (left === wished || Math.abs(left - wished) < leastLifeMs) && isDeepStrictEqual(withoutEnd(found), withoutEnd(wanted));
}

/** Those that last long enough to be told. */
async function lastingTokens(client: Client, now: number): Promise<BootstrapToken[]> {
  const { items } = await client.list<Secret>(secrets, { namespace: bootstrapTokenNamespace, fieldSelector: `type=${bootstrapTokenType}` });
  const lasting = items.filter((secret) => bootstrapTokenLifeMs(secret, now) > leastLifeMs);
  return lasting.flatMap((secret) => bootstrapTokenOf(secret) ?? []);
}
