/** Bootstrap tokens, `abcdef.0123456789abcdef`: what a machine shows before it has a certificate. Pure but for the draw. */
import { randomInt } from 'node:crypto';
import { bootstrapTokenPattern, bootstrapTokenSecret, bootstrapTokenUsages } from '../../api/bootstrap-token.ts';
import type { Secret } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { KnownError } from '../../errors/known-error.ts';

export interface Token {
  readonly id: string;
  readonly secret: string;
}

export interface TokenOptions {
  readonly token: Token;
  readonly description?: string | undefined;
  /** Milliseconds since the epoch; undefined for one that stays. */
  readonly expires?: number | undefined;
  readonly usages?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
}

export const defaultTokenGroup = 'system:bootstrappers:kubeadm:default-node-token';
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

function draw(length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}

export function newToken(): Token {
  return { id: draw(6), secret: draw(16) };
}

/** Throws USAGE. */
export function parseToken(text: string): Token {
  const [, id, secret] = bootstrapTokenPattern.exec(text) ?? [];
  if (id !== undefined && secret !== undefined) return { id, secret };
  // Not quoted: most of it may be a secret.
  throw new KnownError('USAGE', 'Cannot use this --token: it has not the form of a bootstrap token', {
    hint: 'Six and sixteen of a-z and 0-9 with a dot between, such as abcdef.0123456789abcdef; "fairlead init" prints one',
  });
}

export function tokenText({ id, secret }: Token): string {
  return `${id}.${secret}`;
}

/** As kubeadm writes it. */
export function tokenSecret({
  token,
  description,
  expires,
  usages = bootstrapTokenUsages,
  groups = [defaultTokenGroup],
}: TokenOptions): Secret {
  return bootstrapTokenSecret({
    ...token,
    description,
    expiration: expires === undefined ? undefined : timestamp(expires),
    usages,
    groups,
  });
}
