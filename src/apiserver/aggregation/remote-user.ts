/** Who asks, as a server behind this one is told (the front proxy's headers, RequestHeader authentication). */
import type { UserInfo } from '../auth/user-info.ts';

export function remoteUser({ name, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': name, 'x-remote-group': [...groups] };
  if (uid) headers['x-remote-uid'] = uid;
  for (const [key, values] of Object.entries(extra)) headers[`x-remote-extra-${escaped(key)}`] = [...values];
  return headers;
}

/** What no name of a header may have (RFC 9110's token) is written with percent signs, as client-go does. */
function escaped(key: string): string {
  return key.replace(/[^!#$&'*+\-.^_`|~0-9A-Za-z]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** Of this hop, or the caller's own: his credentials are for this server, and who he is it says itself. */
const own: ReadonlySet<string> = new Set([
  ...['host', 'authorization', 'cookie', 'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'trailer'],
  ...['content-length', 'expect'],
]);

export function isPassedOn(header: string): boolean {
  return !own.has(header) && !/^(:|impersonate-|x-remote-)/.test(header);
}
