/** ServiceAccount tokens bound to pods, fetched from the API and renewed before they end. */
import { serviceAccounts } from '../../api/resource-types.ts';
import type { Pod, ServiceAccountTokenProjection, TokenRequest } from '../../api/schema/types.ts';
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { namespaceOf, specOf, uidOf } from '../pod/spec.ts';
import { onceAuthorized } from './authorized.ts';

interface Token {
  readonly token: string;
  /** ms since the epoch. */
  readonly renewAt: number;
  readonly endsAt: number;
}

const defaultSeconds = 3600;
/** A token that lives longer is renewed daily all the same. */
const maxAgeMs = 24 * 3600_000;

export class TokenManager {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async token(pod: Pod, { audience, expirationSeconds }: ServiceAccountTokenProjection): Promise<string> {
    const account = specOf(pod).serviceAccountName || 'default';
    const key = [uidOf(pod), account, audience ?? '', expirationSeconds ?? ''].join('/');
    const known = this.#tokens.get(key);
    const now = this.#clock.now();
    if (known && now < known.renewAt) return known.token;
    try {
      const token = await this.#request(pod, account, audience, expirationSeconds ?? defaultSeconds);
      this.#tokens.set(key, token);
      return token.token;
    } catch (err) {
      // An API server that is away must not take a token from a pod before its time.
      if (known && now < known.endsAt) return known.token;
      throw err;
    }
  }

  forget(podUid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${podUid}/`)) this.#tokens.delete(key);
  }

  async #request(pod: Pod, account: string, audience: string | undefined, expirationSeconds: number): Promise<Token> {
    const namespace = namespaceOf(pod);
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience ? [audience] : undefined,
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: uidOf(pod) },
      },
    };
    const { status } = await onceAuthorized(
      this.#clock,
      () => this.#client.createSubresource<TokenRequest>(serviceAccounts, account, 'token', body, { namespace }),
      (err) => isForbidden(err) || isNotFound(err),
    );
    const now = this.#clock.now();
    const endsAt = status?.expirationTimestamp ? Date.parse(status.expirationTimestamp) : now + expirationSeconds * 1000;
    return { token: status?.token ?? '', endsAt, renewAt: Math.min(now + (endsAt - now) * 0.8, now + maxAgeMs) };
  }
}
