/** Who asks, and may they: client certificates or tokens (TokenReview), then a SubjectAccessReview about this node. Never anonymous. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { subjectAccessReviews, tokenReviews } from '../../api/resource-types.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { HttpError } from './http-error.ts';

interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** As upstream's webhook caches. */
const allowedMs = 300_000;
const deniedMs = 30_000;
const tokenMs = 120_000;
const maxCached = 1000;

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const acting = new Set(['exec', 'attach', 'portForward', 'run']);

export interface AccessOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly nodeName: string;
}

export class Access {
  readonly #options: AccessOptions;
  readonly #decisions = new Map<string, { readonly until: number; readonly allowed: boolean }>();
  readonly #users = new Map<string, { readonly until: number; readonly user: User }>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Throws HttpError 400, 401 or 403. */
  async check(req: IncomingMessage): Promise<void> {
    const user = certificateUser(req.socket as TLSSocket) ?? (await this.#tokenUser(req.headers.authorization));
    if (!user) throw new HttpError(401, 'Unauthorized');
    const first = firstPart(new URL(req.url ?? '/', 'http://kubelet').pathname);
    const verb = verbOf(req.method ?? 'GET', first);
    const subresource = subresourceOf(first);
    if (await this.#mayDo(user, verb, subresource)) return;
    const { nodeName } = this.#options;
    throw new HttpError(
      403,
      `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresource}], node=${nodeName})`,
    );
  }

  async #mayDo(user: User, verb: string, subresource: string): Promise<boolean> {
    const { client, clock, nodeName } = this.#options;
    const key = JSON.stringify([user, verb, subresource]);
    const now = clock.monotonic();
    const known = this.#decisions.get(key);
    if (known && known.until > now) return known.allowed;
    const review = await client.create(subjectAccessReviews, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {} as { name: string },
      spec: {
        user: user.name,
        groups: [...user.groups],
        resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName },
      },
    });
    const allowed = review.status?.allowed === true;
    if (this.#decisions.size > maxCached) this.#decisions.clear();
    this.#decisions.set(key, { allowed, until: now + (allowed ? allowedMs : deniedMs) });
    return allowed;
  }

  async #tokenUser(authorization: string | undefined): Promise<User | undefined> {
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    if (!token) return undefined;
    const now = this.#options.clock.monotonic();
    const known = this.#users.get(token);
    if (known && known.until > now) return known.user;
    const review = await this.#options.client.create(tokenReviews, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {} as { name: string },
      spec: { token },
    });
    if (!review.status?.authenticated) return undefined;
    const user = { name: review.status.user?.username ?? '', groups: review.status.user?.groups ?? [] };
    if (this.#users.size > maxCached) this.#users.clear();
    this.#users.set(token, { user, until: now + tokenMs });
    return user;
  }
}

/** CN is the user, O its groups; only of a certificate that the clients' CA signed. */
function certificateUser(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const subject = socket.getPeerCertificate()?.subject as { CN?: string | string[]; O?: string | string[] } | undefined;
  const name = [subject?.CN ?? []].flat()[0];
  return name ? { name, groups: [...[subject?.O ?? []].flat(), 'system:authenticated'] } : undefined;
}

/** The part of a path that says what is asked for, read as the server reads it: `/%6cogs/` is `logs`. Throws HttpError 400. */
function firstPart(path: string): string {
  try {
    return decodeURIComponent(path.split('/').find(Boolean) ?? '');
  } catch {
    throw new HttpError(400, `Bad Request: the path "${path}" is not well escaped`);
  }
}

/** A WebSocket begins with a GET, but to run something in a container or to reach its ports is no reading: who may only get must not. */
function verbOf(method: string, first: string): string {
  return acting.has(first) ? 'create' : (verbs[method] ?? '');
}

/** What of the node a path is about (pkg/kubelet/server/auth.go). */
function subresourceOf(first: string): string {
  if (first === 'stats' || first === 'metrics' || first === 'checkpoint') return first;
  return first === 'logs' ? 'log' : 'proxy';
}
