import type { TLSSocket } from 'node:tls';
import { namesOf } from './subject-names.ts';
import { authenticatedGroup, type UserInfo } from './user-info.ts';

const users = new WeakMap<TLSSocket, { readonly user: UserInfo | undefined }>();

/**
 * The user that the connection's client certificate names: CN is the name, each O a group. Undefined when there is none, or none that the
 * client CA signed for client authentication: OpenSSL checks chain, time and purpose. Read once per connection.
 */
export function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  const known = users.get(socket);
  if (known) return known.user;
  const user = read(socket);
  users.set(socket, { user });
  return user;
}

function read(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  // What `getPeerCertificate` makes of it, with keys, names and digests, takes a fifth of the time of a whole new connection.
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  const subject = namesOf(certificate.subject);
  const [name, ...others] = subject.filter(({ type }) => type === 'CN').map(({ value }) => value);
  if (!name || others.length > 0) return undefined;
  const groups = subject.filter(({ type }) => type === 'O').map(({ value }) => value);
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    name,
    groups: [...groups, authenticatedGroup],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  };
}
