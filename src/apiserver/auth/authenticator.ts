/** Who asks: a client certificate, a bearer token, or nobody in particular. */

import { bootstrapUser } from './bootstrap-tokens.ts';
import { ServiceAccountTokens, type ServiceAccountTokensOptions, type TokenResult } from './service-account-tokens.ts';
import { anonymous, type UserInfo } from './user-info.ts';

export interface AuthenticatorOptions extends ServiceAccountTokensOptions {
  /** Audiences that the API server itself answers to. */
  readonly audiences: readonly string[];
}

export interface Credentials {
  /** The path, without the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What `userOfCertificate` made of the connection. */
  readonly certificate: UserInfo | undefined;
}

/**
 * Paths that anybody may ask for, and what lies below them (`/livez/ping`); authorization has its say then. Who joins reads the last one, before
 * it has any reason to trust this server: upstream's AuthenticationConfiguration would say `anonymous: {enabled: true, conditions: [{path}, …]}`.
 */
const publicPaths = ['/healthz', '/livez', '/readyz', '/version', '/api/v1/namespaces/kube-public/configmaps/cluster-info'];
/** How a browser, which cannot set headers on a WebSocket, hands over its token. */
const websocketPrefix = 'base64url.bearer.authorization.k8s.io.';

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #tokens: ServiceAccountTokens;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#tokens = new ServiceAccountTokens(options);
  }

  /** Undefined is a 401: no credentials where some are needed, or wrong ones anywhere. */
  async authenticate({ path, headers, certificate }: Credentials): Promise<UserInfo | undefined> {
    if (certificate) return certificate;
    const token = bearerToken(headers);
    if (token !== undefined) {
      const result = await this.review(token);
      return result.authenticated ? result.user : undefined;
    }
    return publicPaths.some((open) => path === open || path.startsWith(`${open}/`)) ? anonymous : undefined;
  }

  /** What a TokenReview answers; `audiences` are those of the one who asks, by default the API server's. */
  async review(token: string, audiences: readonly string[] = this.#options.audiences): Promise<TokenResult> {
    const wanted = audiences.length > 0 ? audiences : this.#options.audiences;
    const user = bootstrapUser(token, this.#options.objects, this.#options.clock);
    if (!user) return await this.#tokens.verify(token, wanted);
    // A bootstrap token knows no audience: it is for the API server alone.
    const shared = wanted.filter((audience) => this.#options.audiences.includes(audience));
    return shared.length > 0 ? { authenticated: true, user, audiences: shared } : { authenticated: false };
  }
}

function bearerToken(headers: Credentials['headers']): string | undefined {
  const authorization = first(headers.authorization);
  const [, token] = /^bearer +(\S+)\s*$/i.exec(authorization ?? '') ?? [];
  if (token) return token;
  // Some other scheme, or no token after the word: wrong credentials, not none.
  if (authorization) return '';
  for (const protocol of first(headers['sec-websocket-protocol'])?.split(',') ?? []) {
    const trimmed = protocol.trim();
    if (trimmed.startsWith(websocketPrefix)) return Buffer.from(trimmed.slice(websocketPrefix.length), 'base64url').toString();
  }
  return undefined;
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(',');
}
