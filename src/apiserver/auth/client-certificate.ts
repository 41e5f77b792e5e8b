import type { TLSSocket } from 'node:tls';
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
  const certificate = socket.getPeerCertificate();
  const name: unknown = certificate.subject?.CN;
  if (typeof name !== 'string' || !name) return undefined;
  // One organization is a string, several are an array.
  const organizations: unknown = certificate.subject.O;
  const groups = (Array.isArray(organizations) ? organizations : [organizations]).filter(
    (group): group is string => typeof group === 'string',
  );
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    name,
    groups: [...groups, authenticatedGroup],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  };
}
