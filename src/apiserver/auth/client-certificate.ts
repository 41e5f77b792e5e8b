import type { TLSSocket } from 'node:tls';
import { namesOf } from './subject-names.ts';
import { authenticatedGroup, type UserInfo } from './user-info.ts';

interface Shown {
  readonly user: UserInfo;
  /** Milliseconds since the epoch. */
  readonly validUntil: number;
}

const shown = new WeakMap<TLSSocket, Shown | undefined>();

/**
 * The user that the connection's client certificate names: CN is the name, each O a group. Undefined when there is none, or none that the
 * client CA signed for client authentication: OpenSSL checks chain, time and purpose, and we read it, once per connection. Its end is looked
 * at for each request, as upstream does: a connection may last for months, and who comes with a ticket of TLS is not asked for a certificate again.
 */
export function userOfCertificate(socket: TLSSocket, now: number = Date.now()): UserInfo | undefined {
  if (!shown.has(socket)) shown.set(socket, read(socket));
  const known = shown.get(socket);
  return known && now <= known.validUntil ? known.user : undefined;
}

function read(socket: TLSSocket): Shown | undefined {
  if (!socket.authorized) return undefined;
  // What `getPeerCertificate` makes of it, with keys, names and digests, takes a fifth of the time of a whole new connection.
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  const subject = namesOf(certificate.subject);
  const [name, ...others] = subject.filter(({ type }) => type === 'CN').map(({ value }) => value);
  if (!name || others.length > 0) return undefined;
  const groups = subject.filter(({ type }) => type === 'O').map(({ value }) => value);
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  const user = {
    name,
    groups: [...groups, authenticatedGroup],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  };
  return { user, validUntil: certificate.validToDate.getTime() };
}
