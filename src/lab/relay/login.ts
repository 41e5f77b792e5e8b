/** How a container runtime shows the relay that it is one. */
import { createHash, timingSafeEqual } from 'node:crypto';

export const relayPort = 3128;

/** The user's name in the runtime's proxy URL; it says nothing. */
export const relayUser = 'node';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Whether a Proxy-Authorization header (RFC 7617) holds the credential. */
export function isAuthorized(header: string | undefined, credential: string): boolean {
  const [, token = ''] = /^Basic +(\S+)$/i.exec(header ?? '') ?? [];
  const given = Buffer.from(token, 'base64').toString('utf8');
  return timingSafeEqual(digest(given), digest(`${relayUser}:${credential}`));
}
