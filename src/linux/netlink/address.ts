/** Addresses of links over rtnetlink. Pure. Source: include/uapi/linux/if_addr.h. */
import { bytesToIp, familyOf } from '../../ip/ip.ts';
import { addressFamilyOf } from '../socket-address.ts';
import { type Attr, decodeAttrs, ip, u32 } from './attribute.ts';
import { type NetlinkMessage, type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from './message.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFA = { address: 1, local: 2, broadcast: 4, flags: 8, proto: 11 } as const;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

export interface Address {
  readonly index: number;
  readonly ip: string;
  readonly prefix: number;
  /** Who added it, as that one said (ip-address(8), `proto`); kernels before 5.18 forget it. */
  readonly proto?: number;
}

function ifaddr(family: number, prefix: number, index: number): Uint8Array {
  const body = Buffer.alloc(8);
  body.writeUInt8(family, 0);
  body.writeUInt8(prefix, 1);
  body.writeUInt32LE(index, 4);
  return body;
}

function request(type: number, flags: number, a: Address, attrs: readonly Attr[]): NetlinkRequest {
  const bytes = ip(a.ip);
  return {
    type,
    flags,
    body: ifaddr(addressFamilyOf(a.ip), a.prefix, a.index),
    attrs: [
      [IFA.local, bytes],
      [IFA.address, bytes],
      ...(a.proto === undefined ? [] : [[IFA.proto, Buffer.of(a.proto)] as const]),
      ...attrs,
    ],
  };
}

/**
 * EEXIST when the link has it. `prefixRoute: false` leaves out the route to the whole prefix. One of IPv6 is there at once: whoever adds it
 * knows that nobody else has it, and a bridge that sends back what it gets (hairpin) would answer the question with itself.
 */
export function addAddress(a: Address, options: { readonly prefixRoute?: boolean } = {}): NetlinkRequest {
  const flags = (options.prefixRoute === false ? IFA_F_NOPREFIXROUTE : 0) | (familyOf(a.ip) === 6 ? IFA_F_NODAD : 0);
  return request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a, flags === 0 ? [] : [[IFA.flags, u32(flags)]]);
}

export function deleteAddress(a: Address): NetlinkRequest {
  return request(RTM_DELADDR, 0, a, []);
}

export const getAddresses: NetlinkRequest = { type: RTM_GETADDR, body: ifaddr(0, 0, 0) };

/** Of a listing, or of a notice about one that came or went. */
export function parseAddress(message: NetlinkMessage): Address | undefined {
  if ((message.type !== RTM_NEWADDR && message.type !== RTM_DELADDR) || message.data.length < 8) return undefined;
  const attrs = decodeAttrs(message.data, 8);
  const bytes = attrs.get(IFA.local) ?? attrs.get(IFA.address);
  if (!bytes) return undefined;
  const proto = attrs.get(IFA.proto)?.[0];
  const address = { index: message.data.readUInt32LE(4), ip: bytesToIp(bytes), prefix: message.data.readUInt8(1) };
  return proto ? { ...address, proto } : address;
}
