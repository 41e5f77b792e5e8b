/**
 * Where the next page of a list begins: base64 of upstream's JSON (k8s.io/apiserver/pkg/storage/continue.go). `rv` -1 means
 * "from this key on, as things are now": what a client is offered when the moment of its first page is forgotten.
 */
import { badRequest } from '../status/status-error.ts';

interface ContinueToken {
  readonly revision: number;
  /** The first key of the page, relative to the prefix of the list. */
  readonly start: string;
}

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: token.start })).toString('base64url');
}

export function decodeContinue(text: string): ContinueToken {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw badRequest('invalid continue token: continue key is not valid: the token is not of this server');
  }
  const token = parsed as { v?: unknown; rv?: unknown; start?: unknown } | null;
  if (token?.v !== 'meta.k8s.io/v1')
    throw badRequest('invalid continue token: continue key is not valid: server does not recognize the encoded version');
  if (
    typeof token.start !== 'string' ||
    typeof token.rv !== 'number' ||
    !Number.isSafeInteger(token.rv) ||
    token.rv === 0 ||
    token.start.includes('..')
  ) {
    throw badRequest('invalid continue token: continue key is not valid: incorrect encoded start or resourceVersion');
  }
  return { revision: token.rv, start: token.start };
}
