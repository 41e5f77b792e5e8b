/** Who may read the pages of a part: those for probes anybody, the others whom the API server knows and allows (as upstream's delegated authorization). */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { subjectAccessReviews, tokenReviews } from '../api/resource-types.ts';
import type { Client } from '../client/client.ts';
import type { Page } from '../observability/health-pages.ts';

interface Reader {
  readonly name: string;
  readonly groups: readonly string[];
}

interface AccessOptions {
  /** Asks who a token's user is. */
  readonly authenticates: Pick<Client, 'create'>;
  /** Asks what a user may read. */
  readonly authorizes: Pick<Client, 'create'>;
  /** Paths that need no user; one that ends in `*` stands for all that begin so. */
  readonly open: readonly string[];
}

const anonymous: Reader = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Gives what to answer in place of the page; undefined for the page. */
export function pageAccess({ authenticates, authorizes, open }: AccessOptions): (request: IncomingMessage) => Promise<Page | undefined> {
  const isOpen = (path: string): boolean => open.some((one) => (one.endsWith('*') ? path.startsWith(one.slice(0, -1)) : path === one));
  return async (request) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (isOpen(path)) return undefined;
    const { authorization } = request.headers;
    const reader =
      certificateReader(request.socket as TLSSocket) ?? (authorization ? await tokenReader(authenticates, authorization) : anonymous);
    if (!reader) return { code: 401, body: 'Unauthorized\n' };
    if (await mayRead(authorizes, reader, path)) return undefined;
    return { code: 403, body: `forbidden: User "${reader.name}" cannot get path "${path}"\n` };
  };
}

function certificateReader(socket: TLSSocket): Reader | undefined {
  const subject = socket.authorized
    ? (socket.getPeerCertificate()?.subject as { CN?: string | string[]; O?: string | string[] })
    : undefined;
  const name = [subject?.CN ?? []].flat()[0];
  return name ? { name, groups: [...[subject?.O ?? []].flat(), 'system:authenticated'] } : undefined;
}

async function tokenReader(client: Pick<Client, 'create'>, authorization: string): Promise<Reader | undefined> {
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined) return undefined;
  const review = await client.create(tokenReviews, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    metadata: {} as { name: string },
    spec: { token },
  });
  const { authenticated, user } = review.status ?? {};
  return authenticated ? { name: user?.username ?? '', groups: user?.groups ?? [] } : undefined;
}

async function mayRead(client: Pick<Client, 'create'>, { name, groups }: Reader, path: string): Promise<boolean> {
  const review = await client.create(subjectAccessReviews, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {} as { name: string },
    spec: { user: name, groups: [...groups], nonResourceAttributes: { verb: 'get', path } },
  });
  return review.status?.allowed === true;
}
