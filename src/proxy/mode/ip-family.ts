/** An address family as metrics and health pages name it. */
import type { TableFamily } from '../../linux/nftables/table.ts';

export const familyNames: Readonly<Record<TableFamily, 'IPv4' | 'IPv6'>> = { ip: 'IPv4', ip6: 'IPv6' };
