/** Makes ServiceAccount tokens (TokenRequest), and the documents by which others verify them. */
import { randomUUID } from 'node:crypto';
import { type JWK, SignJWT } from 'jose';
import type { KubeObject } from '../../api/resource-types.ts';
import type { BoundObjectReference, ServiceAccount } from '../../api/schema/types.ts';
import { type FieldError, invalid } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { badRequest, conflict, notFound, StatusError } from '../status/status-error.ts';
import type { TokenOptions } from './service-account-tokens.ts';
import type { ObjectClaim } from './token-claims.ts';
import { jsonWebKeySet } from './token-keys.ts';
import { serviceAccountUser } from './user-info.ts';

export interface TokenIssuerOptions extends TokenOptions {
  /** Audiences of a request that names none: the API server's own. */
  readonly audiences: readonly string[];
  /** No token lives longer; none asked for more than this many seconds is refused, it gets less. Absent: as long as it asks for. */
  readonly maxExpirationSeconds?: number | undefined;
  /** Whether the tokens that pods find at the usual place live for a year, for clients that read them once only. Default true, as upstream. */
  readonly extendExpiration?: boolean | undefined;
}

/** TokenRequestSpec, as far as it decides. */
export interface TokenSpec {
  readonly audiences?: readonly string[] | undefined;
  readonly expirationSeconds?: number | undefined;
  readonly boundObjectRef?: BoundObjectReference | null | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly expirationTimestamp: string;
  readonly expirationSeconds: number;
  readonly audiences: readonly string[];
  /** What whoever asked should know. */
  readonly warning?: string;
}

/** What a token says of the object that it is bound to. */
type BoundClaims = Partial<Record<'pod' | 'secret' | 'node', ObjectClaim>>;

const defaultSeconds = 3600;
const minSeconds = 600;
const maxSeconds = 2 ** 32;
/** What the ServiceAccount admission writes into pods, and nobody else would think of: these tokens may be used for longer. */
const extendableSeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

export class TokenIssuer {
  readonly #options: TokenIssuerOptions;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
  }

  /** A token for the ServiceAccount, bound to the object that the spec names. Throws 400, 404, 409 and 422. */
  async issue(serviceAccount: ServiceAccount, spec: TokenSpec): Promise<IssuedToken> {
    const { keys, issuer, clock } = this.#options;
    const asked = spec.expirationSeconds ?? defaultSeconds;
    const wrong = asked < minSeconds ? 'less than 10 minutes' : asked > maxSeconds ? 'larger than 2^32 seconds' : undefined;
    if (wrong) throw invalidRequest(invalid('spec.expirationSeconds', asked, `may not specify a duration ${wrong}`));
    const { namespace = '', name, uid = '' } = serviceAccount.metadata;
    let bound = this.#bind(namespace, name, spec.boundObjectRef);
    if (bound instanceof StatusError) {
      await this.#options.objects.fresh();
      bound = this.#bind(namespace, name, spec.boundObjectRef);
    }
    if (bound instanceof StatusError) throw bound;
    const audiences = spec.audiences?.length ? spec.audiences : this.#options.audiences;
    const now = Math.floor(clock.now() / 1000);
    const max = this.#options.maxExpirationSeconds ?? maxSeconds;
    const expirationSeconds = Math.min(asked, max);
    const lifeSeconds = this.#isExtended(spec, expirationSeconds, audiences) ? Math.min(extendedSeconds, max) : expirationSeconds;
    const warnAfter = lifeSeconds > expirationSeconds ? { warnafter: now + expirationSeconds } : {};
    const claims = { 'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...bound, ...warnAfter } };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: keys.signing.algorithm, kid: keys.signing.id })
      .setIssuer(issuer)
      .setSubject(serviceAccountUser(namespace, name))
      .setAudience([...audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + lifeSeconds)
      .setJti(randomUUID())
      .sign(keys.signing.privateKey);
    const expirationTimestamp = timestamp((now + expirationSeconds) * 1000);
    const shortened = `requested expiration of ${asked} seconds shortened to ${expirationSeconds} seconds`;
    return { token, expirationTimestamp, expirationSeconds, audiences, ...(asked > max ? { warning: shortened } : {}) };
  }

  /** The kubelet renews such a token within the hour; who goes on with the old one is counted, not refused (KEP-1205). */
  #isExtended({ boundObjectRef }: TokenSpec, expirationSeconds: number, audiences: readonly string[]): boolean {
    const { extendExpiration = true, audiences: own } = this.#options;
    const usual = boundObjectRef?.kind === 'Pod' && expirationSeconds === extendableSeconds;
    return extendExpiration && usual && audiences.every((audience) => own.includes(audience));
  }

  /** The body of `/.well-known/openid-configuration`; `serverUrl` is where the API server is reached, such as `https://10.96.0.1:443`. */
  openidConfiguration(serverUrl: string): object {
    const { issuer, keys } = this.#options;
    return {
      issuer,
      jwks_uri: `${serverUrl}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(keys.verifying.map((key) => key.algorithm))],
    };
  }

  /** The body of `/openid/v1/jwks`. */
  jwks(): Promise<{ keys: JWK[] }> {
    return jsonWebKeySet(this.#options.keys);
  }

  #bind(namespace: string, serviceAccount: string, reference: BoundObjectReference | null | undefined): BoundClaims | StatusError {
    if (!reference) return {};
    const { objects } = this.#options;
    const { kind = '', apiVersion = '', name = '', uid } = reference;
    const inCore = !apiVersion.includes('/');
    if (!inCore || !['Pod', 'Secret', 'Node'].includes(kind)) {
      return badRequest(`cannot bind token to object of type ${inCore ? '/' : ''}${apiVersion}, Kind=${kind}`);
    }
    const pod = kind === 'Pod' ? objects.pod(namespace, name) : undefined;
    const found = pod ?? this.#other(kind, namespace, name);
    if (!found) return notFound({ group: '', resource: `${kind.toLowerCase()}s` }, name);
    if (pod && pod.spec?.serviceAccountName !== serviceAccount) {
      return badRequest(`cannot bind token for serviceaccount "${serviceAccount}" to pod running with different serviceaccount name.`);
    }
    if (uid && uid !== found.metadata.uid) {
      const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
      return conflict({ group: '', resource: kind }, name, why);
    }
    const claims = { [kind.toLowerCase()]: { name, uid: found.metadata.uid ?? '' } };
    const nodeName = pod?.spec?.nodeName;
    // A pod's token says where the pod runs.
    if (nodeName) claims.node = { name: nodeName, uid: objects.node(nodeName)?.metadata.uid ?? '' };
    return claims;
  }

  #other(kind: string, namespace: string, name: string): KubeObject | undefined {
    const { objects } = this.#options;
    return kind === 'Secret' ? objects.secret(namespace, name) : kind === 'Node' ? objects.node(name) : undefined;
  }
}

function invalidRequest(...errors: readonly FieldError[]): StatusError {
  return StatusError.of(statusOfErrors({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', errors));
}
