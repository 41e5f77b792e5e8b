/** What cluster-info says with the signatures of the tokens that there are: pure. */
import { createHmac } from 'node:crypto';
import { bootstrapTokenLifeMs, bootstrapTokenOf } from '../../api/bootstrap-token.ts';
import type { Secret } from '../../api/schema/types.ts';

const prefix = 'jws-kubeconfig-';

/** The data with one signature for each token that may sign, and no other; undefined when it says nothing that could be signed. */
export function signedData(
  data: Readonly<Record<string, string>> | undefined,
  tokens: readonly Secret[],
  now: number,
): Record<string, string> | undefined {
  const content = data?.kubeconfig;
  if (content === undefined) return undefined;
  const unsigned = Object.entries(data ?? {}).filter(([key]) => !key.startsWith(prefix));
  const signatures = signers(tokens, now).map(({ id, secret }) => [`${prefix}${id}`, detachedSignature(content, id, secret)]);
  return Object.fromEntries([...unsigned, ...signatures]);
}

/** Milliseconds until the first of the tokens that sign has ended; infinite when none ever does. */
export function nextEndMs(tokens: readonly Secret[], now: number): number {
  return Math.min(...tokens.map((secret) => bootstrapTokenLifeMs(secret, now)).filter((left) => left > 0), Number.POSITIVE_INFINITY);
}

function signers(tokens: readonly Secret[], now: number): { readonly id: string; readonly secret: string }[] {
  return tokens.flatMap((secret) => {
    const token = bootstrapTokenOf(secret);
    return token?.usages.includes('signing') && bootstrapTokenLifeMs(secret, now) > 0 ? [token] : [];
  });
}

/**
 * A JSON Web Signature without its content (RFC 7515, appendix F). Whoever joins makes it again and compares, so the header is written as
 * go-jose writes it, to the byte.
 */
export function detachedSignature(content: string, id: string, secret: string): string {
  const header = base64url(JSON.stringify({ alg: 'HS256', kid: id }));
  const signature = createHmac('sha256', secret)
    .update(`${header}.${base64url(content)}`)
    .digest('base64url');
  return `${header}..${signature}`;
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
