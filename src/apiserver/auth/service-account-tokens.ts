/** Verifies ServiceAccount tokens: signature, issuer, audience, time, and that what the token is bound to still exists. */
import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import type { ObjectMeta } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { AuthObjects } from './auth-objects.ts';
import type { TokenClaims } from './token-claims.ts';
import type { TokenKeys } from './token-keys.ts';
import { authenticatedGroup, serviceAccountsGroup, serviceAccountUser, type UserInfo } from './user-info.ts';

/** How long a token outlives the deletion timestamp of what it is bound to, in milliseconds: a pod that shuts down still talks. */
const deletionLeewayMs = 60_000;
/** Tokens whose signature need not be checked again. */
const cached = 4_096;

export type TokenResult =
  | { readonly authenticated: true; readonly user: UserInfo; readonly audiences: readonly string[] }
  /** `error` is absent when the token is none of ours. */
  | { readonly authenticated: false; readonly error?: string };

/** What tokens are made and read with. */
export interface TokenOptions {
  readonly keys: TokenKeys;
  /** The `iss` of the tokens, such as `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  readonly objects: AuthObjects;
  readonly clock: Clock;
}

export interface ServiceAccountTokensOptions extends TokenOptions {
  /** Told of every use of a token; `stale` when it should have been renewed before and lives on for old clients' sake. */
  readonly onUse?: ((use: { readonly stale: boolean }) => void) | undefined;
}

export class ServiceAccountTokens {
  readonly #options: ServiceAccountTokensOptions;
  /** Claims by SHA-256 of the token: a signature is checked once, everything that may change at every use. */
  readonly #verified = new Map<string, TokenClaims>();

  constructor(options: ServiceAccountTokensOptions) {
    this.#options = options;
  }

  /** The user, if the token is good for one of the audiences. */
  async verify(token: string, audiences: readonly string[]): Promise<TokenResult> {
    if (token.split('.').length !== 3) return { authenticated: false };
    const hash = createHash('sha256').update(token).digest('base64');
    const claims = this.#verified.get(hash) ?? (await this.#checkSignature(token));
    if (!claims) return { authenticated: false, error: 'invalid bearer token' };
    const error = this.#checkTime(claims) ?? (await this.#checkObjects(claims));
    if (error !== undefined) {
      this.#verified.delete(hash);
      return { authenticated: false, error };
    }
    this.#remember(hash, claims);
    const shared = claims.aud.filter((audience) => audiences.includes(audience));
    if (shared.length === 0) {
      return {
        authenticated: false,
        error: `token audiences ${JSON.stringify(claims.aud)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      };
    }
    const { warnafter } = claims['kubernetes.io'];
    this.#options.onUse?.({ stale: !!warnafter && this.#options.clock.now() > warnafter * 1000 });
    return { authenticated: true, user: userOf(claims), audiences: shared };
  }

  async #checkSignature(token: string): Promise<TokenClaims | undefined> {
    const { keys, issuer } = this.#options;
    try {
      const { kid } = decodeProtectedHeader(token);
      for (const key of keys.verifying.filter(({ id }) => kid === undefined || kid === id)) {
        const payload = await compactVerify(token, key.key, { algorithms: [key.algorithm] }).then(
          (result) => result.payload,
          () => undefined,
        );
        if (payload) return claimsOf(payload, issuer);
      }
    } catch {
      // Not a token at all: base64 or JSON that cannot be read.
    }
    return undefined;
  }

  #checkTime(claims: TokenClaims): string | undefined {
    const now = Math.floor(this.#options.clock.now() / 1000);
    if (claims.exp <= now) return 'service account token has expired';
    return claims.nbf > now + 10 ? 'service account token is not valid yet' : undefined;
  }

  /** What another server made a moment ago may not be known yet. */
  async #checkObjects(claims: TokenClaims): Promise<string | undefined> {
    if (this.#checkKnown(claims) === undefined) return undefined;
    await this.#options.objects.fresh();
    return this.#checkKnown(claims);
  }

  #checkKnown(claims: TokenClaims): string | undefined {
    const { objects } = this.#options;
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io'];
    return (
      this.#checkObject('service account', serviceaccount, objects.serviceAccount(namespace, serviceaccount.name)) ??
      (pod && this.#checkObject('pod', pod, objects.pod(namespace, pod.name))) ??
      (secret && this.#checkObject('secret', secret, objects.secret(namespace, secret.name))) ??
      // A pod's token names its node for information; a node's own token is bound to it.
      (node && !pod ? this.#checkObject('node', node, objects.node(node.name)) : undefined)
    );
  }

  #checkObject(
    what: string,
    claim: { readonly name: string; readonly uid: string },
    object: { readonly metadata: ObjectMeta } | undefined,
  ): string | undefined {
    if (!object) return `${what} ${claim.name} has been deleted`;
    const { uid, deletionTimestamp } = object.metadata;
    if (uid !== claim.uid) return `${what} UID (${uid}) does not match claim (${claim.uid})`;
    if (deletionTimestamp && Date.parse(deletionTimestamp) + deletionLeewayMs < this.#options.clock.now())
      return `${what} ${claim.name} has been deleted`;
    return undefined;
  }

  #remember(hash: string, claims: TokenClaims): void {
    // Taken out and put in again, the least recently used stands first.
    this.#verified.delete(hash);
    this.#verified.set(hash, claims);
    if (this.#verified.size > cached) this.#verified.delete(this.#verified.keys().next().value!);
  }
}

function userOf(claims: TokenClaims): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims['kubernetes.io'];
  const extra: Record<string, string[]> = { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] };
  if (pod) {
    extra['authentication.kubernetes.io/pod-name'] = [pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
  }
  if (node) {
    extra['authentication.kubernetes.io/node-name'] = [node.name];
    if (node.uid) extra['authentication.kubernetes.io/node-uid'] = [node.uid];
  }
  return {
    name: serviceAccountUser(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: [serviceAccountsGroup, `${serviceAccountsGroup}:${namespace}`, authenticatedGroup],
    extra,
  };
}

/** The claims, when they are all there and of our issuer. They were signed by a key of ours, but a key may have signed other things. */
function claimsOf(payload: Uint8Array, issuer: string): TokenClaims | undefined {
  const claims = JSON.parse(new TextDecoder().decode(payload)) as Partial<TokenClaims> & { aud?: string | string[] };
  const bound = claims['kubernetes.io'];
  if (
    claims.iss !== issuer ||
    typeof claims.exp !== 'number' ||
    !bound?.namespace ||
    !bound.serviceaccount?.name ||
    !bound.serviceaccount.uid
  )
    return undefined;
  if (claims.sub !== serviceAccountUser(bound.namespace, bound.serviceaccount.name)) return undefined;
  const aud = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  return { ...(claims as TokenClaims), aud, nbf: claims.nbf ?? 0, iat: claims.iat ?? 0, jti: claims.jti ?? '' };
}
