/**
 * Clients that act as ServiceAccounts of kube-system, by tokens which one who may asks for: what client-go's dynamic client builder does
 * for the controllers of --use-service-account-credentials.
 */
import { serviceAccounts } from '../api/resource-types.ts';
import type { TokenRequest } from '../api/schema/types.ts';
import type { Clock } from '../clock/clock.ts';
import { isAlreadyExists, isNotFound } from './api-error.ts';
import { Client } from './client.ts';
import type { TokenSource } from './client-config.ts';

const namespace = 'kube-system';
const lifeSeconds = 3600;
/** A token is asked for anew when so much of its life is over. */
const renewAfter = 0.8;

interface Token {
  readonly text: string;
  readonly renewAt: number;
  readonly endsAt: number;
}

export class AccountToken implements TokenSource {
  readonly #client: Pick<Client, 'create' | 'createSubresource'>;
  readonly #name: string;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;

  constructor(client: Pick<Client, 'create' | 'createSubresource'>, name: string, clock: Pick<Clock, 'monotonic'>) {
    this.#client = client;
    this.#name = name;
    this.#clock = clock;
  }

  async text(): Promise<string> {
    const known = this.#token;
    if (known && this.#clock.monotonic() < known.renewAt) return known.text;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    try {
      this.#token = await this.#asking;
      return this.#token.text;
    } catch (err) {
      // An API server that is away must not take a token away before its time.
      if (known && this.#clock.monotonic() < known.endsAt) return known.text;
      throw err;
    }
  }

  /** As when the account was deleted and made again. */
  refused(text: string): void {
    if (this.#token?.text === text) this.#token = undefined;
  }

  async #ask(): Promise<Token> {
    const asked = this.#clock.monotonic();
    const { status } = await this.#request().catch(async (err: unknown) => {
      if (!isNotFound(err)) throw err;
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: this.#name } };
      await this.#client.create(serviceAccounts, account).catch((why: unknown) => {
        if (!isAlreadyExists(why)) throw why;
      });
      return await this.#request();
    });
    const lifeMs = 1000 * lifeSeconds;
    return { text: status?.token ?? '', renewAt: asked + renewAfter * lifeMs, endsAt: asked + lifeMs };
  }

  #request(): Promise<TokenRequest> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: lifeSeconds } };
    return this.#client.createSubresource<TokenRequest>(serviceAccounts, this.#name, 'token', body, { namespace });
  }
}

export class AccountClients {
  readonly #root: Client;
  readonly #clock: Clock;
  readonly #clients = new Map<string, Client>();

  /** `root`: who asks for the tokens. */
  constructor(root: Client, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
  }

  /** The client of one account, which is made when it is first used. */
  of(name: string): Client {
    let client = this.#clients.get(name);
    if (!client) {
      // Nothing that tells who the root is.
      const { cert: _cert, key: _key, token: _token, tokenFile: _file, renewed: _renewed, ...server } = this.#root.transport.config;
      client = new Client({ ...server, tokens: new AccountToken(this.#root, name, this.#clock), userAgent: `fairlead/${name}` });
      this.#clients.set(name, client);
    }
    return client;
  }

  /** Cuts what is under way, and the root with it. */
  close(): void {
    for (const client of [...this.#clients.values(), this.#root]) client.close();
  }
}
