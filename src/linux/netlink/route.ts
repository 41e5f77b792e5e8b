/** Routes of the main table over rtnetlink. Pure. Source: include/uapi/linux/rtnetlink.h. */
import { bytesToIp, parseCidr } from '../../ip/ip.ts';
import { addressFamilies } from '../socket-address.ts';
import { type Attr, decodeAttrs, ip, u32 } from './attribute.ts';
import { type NetlinkMessage, type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts';

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTA = { dst: 1, oif: 4, gateway: 5, priority: 6, prefSrc: 7, table: 15 } as const;
const RT_TABLE_MAIN = 254;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const RTNH_F_ONLINK = 4;

/** Who made a route; RTPROT_STATIC. */
const RTPROT_STATIC = 4;

export interface Route {
  /** A CIDR; `0.0.0.0/0` is the default route. */
  readonly dst: string;
  /** Index of the link it leaves by. */
  readonly index: number;
  readonly gateway?: string;
  /** The gateway is reached on this link even though no address says so. */
  readonly onlink?: boolean;
  /** The source address for what starts here. */
  readonly source?: string;
  readonly metric?: number;
  /** RTPROT_*: a mark by which an owner finds its routes again. */
  readonly protocol?: number;
}

function rtmsg(family: number, prefix: number, scope: number, protocol: number, flags: number): Uint8Array {
  const body = Buffer.alloc(12);
  body.set([family, prefix, 0, 0, RT_TABLE_MAIN, protocol, scope, RTN_UNICAST]);
  body.writeUInt32LE(flags, 8);
  return body;
}

function request(type: number, flags: number, r: Route): NetlinkRequest {
  const cidr = parseCidr(r.dst);
  if (!cidr) throw new RangeError(`Cannot make a route to "${r.dst}": not a CIDR`);
  const attrs: Attr[] = [];
  if (cidr.prefix > 0) attrs.push([RTA.dst, ip(cidr.base)]);
  attrs.push([RTA.oif, u32(r.index)]);
  if (r.gateway !== undefined) attrs.push([RTA.gateway, ip(r.gateway)]);
  if (r.source !== undefined) attrs.push([RTA.prefSrc, ip(r.source)]);
  if (r.metric !== undefined) attrs.push([RTA.priority, u32(r.metric)]);
  // IPv4 wants a directly reached target to have link scope; IPv6 does not know scopes.
  const scope = cidr.family === 4 && r.gateway === undefined ? RT_SCOPE_LINK : 0;
  const body = rtmsg(addressFamilies[cidr.family], cidr.prefix, scope, r.protocol ?? RTPROT_STATIC, r.onlink === true ? RTNH_F_ONLINK : 0);
  return { type, flags, body, attrs };
}

export function addRoute(r: Route): NetlinkRequest {
  return request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, r);
}

/** Adds it, or takes the place of the one with the same target and metric. */
export function replaceRoute(r: Route): NetlinkRequest {
  return request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r);
}

export function deleteRoute(r: Route): NetlinkRequest {
  return request(RTM_DELROUTE, 0, r);
}

export const getRoutes: NetlinkRequest = { type: RTM_GETROUTE, body: rtmsg(0, 0, 0, 0, 0) };

/** Reads a unicast route of the main table with one next hop; undefined for everything else. */
export function parseRoute(message: NetlinkMessage): Route | undefined {
  if (message.type !== RTM_NEWROUTE || message.data.length < 12) return undefined;
  const [family = 0, prefix = 0, , , table = 0, protocol = 0, , kind = 0] = message.data;
  const attrs = decodeAttrs(message.data, 12);
  if (kind !== RTN_UNICAST || (attrs.get(RTA.table)?.readUInt32LE(0) ?? table) !== RT_TABLE_MAIN) return undefined;
  const oif = attrs.get(RTA.oif);
  if (!oif || (family !== addressFamilies[4] && family !== addressFamilies[6])) return undefined;
  const dst = attrs.get(RTA.dst);
  const gateway = attrs.get(RTA.gateway);
  const source = attrs.get(RTA.prefSrc);
  const metric = attrs.get(RTA.priority);
  return {
    dst: `${dst ? bytesToIp(dst) : family === addressFamilies[4] ? '0.0.0.0' : '::'}/${prefix}`,
    index: oif.readUInt32LE(0),
    protocol,
    ...(gateway ? { gateway: bytesToIp(gateway) } : {}),
    ...(source ? { source: bytesToIp(source) } : {}),
    ...(metric ? { metric: metric.readUInt32LE(0) } : {}),
    ...((message.data.readUInt32LE(8) & RTNH_F_ONLINK) !== 0 ? { onlink: true } : {}),
  };
}
