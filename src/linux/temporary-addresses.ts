/** Which addresses of a machine end by themselves within days: those of IPv6 that hide who it is (RFC 8981, sysctl use_tempaddr). Pure. */
import { bytesToIp } from '../ip/ip.ts';

/** include/uapi/linux/if_addr.h */
const IFA_F_TEMPORARY = 0x01;

export const addressTable = '/proc/net/if_inet6';

/** Of the text of `addressTable` (net/ipv6/addrconf.c): address, index, length of the prefix, scope, flags, all in hex, and the name of the link. */
export function parseTemporary(text: string): Set<string> {
  const rows = [...text.matchAll(/^([0-9a-f]{32}) +\w+ +\w+ +\w+ +(\w+) /gm)];
  const temporary = rows.filter(([, , flags = '']) => (Number.parseInt(flags, 16) & IFA_F_TEMPORARY) !== 0);
  return new Set(temporary.map(([, address = '']) => bytesToIp(Buffer.from(address, 'hex'))));
}
