/** Puts `auth/` to work: from a connection and its headers to a user, from a path to the question of the authorizer. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { parseFieldSelector } from '../../api/selector/field.ts';
import { type Attributes, forbiddenMessage } from '../auth/attributes.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import { userOfCertificate } from '../auth/client-certificate.ts';
import { impersonate, isImpersonating } from '../auth/impersonation.ts';
import type { UserInfo } from '../auth/user-info.ts';
import { badRequest, StatusError, unauthorized } from '../status/status-error.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';

/** A request that is parsed and authenticated; its body is not read yet. */
export interface Admitted {
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
}

export class RequestAuth {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;

  constructor(authenticator: Authenticator, authorizer: Authorizer) {
    this.authenticator = authenticator;
    this.authorizer = authorizer;
  }

  /** Throws 403. */
  authorize({ info, query, user }: Admitted): void {
    this.check(attributesOf(user, info, query));
  }

  /** What is asked for, and by whom; may he is another question. Throws 400 or 401, and 403 to who may not act as he wants. */
  async identify(req: IncomingMessage): Promise<Admitted> {
    const url = req.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    const info = infoOf(req.method ?? 'GET', path, query);
    return { info, query, user: await this.#user(req, path) };
  }

  /** Throws 403. */
  check(attributes: Attributes): void {
    // What everybody may ask is not for a policy, which may be missing or broken, to allow.
    if (!attributes.isResource && isPublic(attributes.path)) return;
    const decision = this.authorizer.authorize(attributes);
    if (!decision.allowed) throw denied(attributes, decision.reason);
  }

  async #user(req: IncomingMessage, path: string): Promise<UserInfo> {
    const socket = req.socket as TLSSocket;
    const certificate = userOfCertificate(socket);
    const user = await this.authenticator.authenticate({ path, headers: req.headers, certificate });
    if (!user) throw unauthorized(whyNot(socket, certificate));
    if (!isImpersonating(req.headers)) return user;
    const acting = impersonate(user, req.headersDistinct, this.authorizer);
    if (acting.ok) return acting.user;
    throw acting.code === 400 ? badRequest(acting.message) : new StatusError(403, 'Forbidden', acting.message);
  }
}

/** A certificate that was shown and not accepted is a reason worth telling: an expired one looks like none otherwise. */
function whyNot(socket: TLSSocket, certificate: UserInfo | undefined): string {
  if (certificate || socket.authorized || !socket.getPeerCertificate()?.subject) return 'Unauthorized';
  return `Unauthorized: the client certificate is not accepted: ${String(socket.authorizationError)}`;
}

function isPublic(path: string): boolean {
  return /^\/(healthz|livez|readyz|version)(\/|$)/.test(path);
}

function infoOf(method: string, path: string, query: URLSearchParams): RequestInfo {
  try {
    return requestInfo(method, path, query);
  } catch {
    throw badRequest(`the path holds a broken escape: ${path.slice(0, 200)}`);
  }
}

function denied(attributes: Attributes, reason: string): StatusError {
  const message = forbiddenMessage(attributes, reason);
  if (!attributes.isResource) return new StatusError(403, 'Forbidden', message);
  const { group, resource, name } = attributes;
  return new StatusError(403, 'Forbidden', message, { ...(name ? { name } : {}), ...(group ? { group } : {}), kind: resource });
}

export function attributesOf(user: UserInfo, info: RequestInfo, query: URLSearchParams): Attributes {
  const { isResource, path, verb, group, version, resource, subresource, namespace, name } = info;
  return { user, verb, isResource, path, group, version, resource, subresource, namespace, name: name || nameSelected(verb, query), query };
}

/** A list of one name is authorized as that name, so that a rule with resourceNames can allow it. */
function nameSelected(verb: string, query: URLSearchParams): string {
  const text = query.get('fieldSelector');
  if (!text || !['list', 'watch', 'deletecollection'].includes(verb)) return '';
  try {
    return parseFieldSelector(text).find((t) => t.path === 'metadata.name' && t.op === '=')?.value ?? '';
  } catch {
    // The handler says what is wrong with it.
    return '';
  }
}
