/** Links over rtnetlink: requests and what the kernel answers. Pure. Source: include/uapi/linux/if_link.h. */
import { bytesToIp, familyOf } from '../../ip/ip.ts';
import { type Attr, decodeAttrs, encodeAttrs, formatMac, ip, mac, readText, readU32, text, u8, u16be, u32 } from './attribute.ts';
import { type NetlinkMessage, type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from './message.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

const IFLA = { address: 1, name: 3, mtu: 4, link: 5, master: 10, operState: 16, linkInfo: 18, alias: 20, netnsFd: 28 } as const;
const INFO = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const VETH_INFO_PEER = 1;
const BRPORT_MODE = 4;
const VXLAN = { id: 1, link: 3, local: 4, learning: 7, port: 15, local6: 17 } as const;

const IFF_UP = 1;

export interface Bridge {
  readonly kind: 'bridge';
}

/** A link that leads nowhere: a place for addresses. */
export interface Dummy {
  readonly kind: 'dummy';
}

export interface Veth {
  readonly kind: 'veth';
  /** The other end, made in the namespace of the open file `netnsFd`. It starts down: a veth cannot come up before it has a peer (ENOTCONN). */
  readonly peer: {
    readonly name: string;
    readonly netnsFd?: number;
    readonly mac?: string;
    readonly mtu?: number;
    readonly up?: boolean;
  };
}

export interface Vxlan {
  readonly kind: 'vxlan';
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  /** Whether it believes any packet about where a MAC is. */
  readonly learning: boolean;
}

/** What a link is, apart from what all links have. */
export type LinkKind = Bridge | Dummy | Veth | Vxlan;

/** What the kernel lets one change of a kind while the link lives; anything else needs another link. */
export const changeableOptions: ReadonlySet<string> = new Set<keyof Vxlan>(['learning']);

export interface LinkSettings {
  readonly mac?: string;
  readonly mtu?: number;
  readonly up?: boolean;
  /** Index of the bridge; 0 takes the link out of it. */
  readonly master?: number;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `vxlan` … or '' for hardware and loopback. */
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master: number;
  /** Index of the other end of a veth (in its own namespace) or of a VXLAN's parent. */
  readonly parent: number;
  readonly alias: string;
  /** A bridge port that may send back where it came from. */
  readonly hairpin: boolean;
  /** What its kind has, of the kinds that are known here. */
  readonly details?: Bridge | Vxlan;
}

/** struct ifinfomsg. */
function ifinfo(index: number, up: boolean | undefined): Uint8Array {
  const body = Buffer.alloc(16);
  body.writeInt32LE(index, 4);
  body.writeUInt32LE(up === true ? IFF_UP : 0, 8);
  body.writeUInt32LE(up === undefined ? 0 : IFF_UP, 12);
  return body;
}

function settingsAttrs(s: LinkSettings): Attr[] {
  const attrs: Attr[] = [];
  if (s.mac !== undefined) attrs.push([IFLA.address, mac(s.mac)]);
  if (s.mtu !== undefined) attrs.push([IFLA.mtu, u32(s.mtu)]);
  if (s.master !== undefined) attrs.push([IFLA.master, u32(s.master)]);
  return attrs;
}

type KindChange = { readonly [K in LinkKind as K['kind']]: Partial<K> & Pick<K, 'kind'> }[LinkKind['kind']];

const flag = (on: boolean): Uint8Array => u8(on ? 1 : 0);

function vethData({ peer }: Partial<Veth>): Attr[] {
  if (peer === undefined) return [];
  const attrs: Attr[] = [[IFLA.name, text(peer.name)], ...settingsAttrs(peer)];
  if (peer.netnsFd !== undefined) attrs.push([IFLA.netnsFd, u32(peer.netnsFd)]);
  // An ifinfomsg comes before the peer's attributes, so this is no plain nesting.
  return [[VETH_INFO_PEER, Buffer.concat([ifinfo(0, undefined), encodeAttrs(attrs)])]];
}

function vxlanData({ vni, port, local, learning }: Partial<Vxlan>, parent: number | undefined): Attr[] {
  const attrs: Attr[] = [];
  if (vni !== undefined) attrs.push([VXLAN.id, u32(vni)]);
  if (parent !== undefined) attrs.push([VXLAN.link, u32(parent)]);
  if (learning !== undefined) attrs.push([VXLAN.learning, flag(learning)]);
  if (port !== undefined) attrs.push([VXLAN.port, u16be(port)]);
  if (local !== undefined) attrs.push([familyOf(local) === 6 ? VXLAN.local6 : VXLAN.local, ip(local)]);
  return attrs;
}

function kindAttrs(k: KindChange, parent?: number): Attr {
  const data = k.kind === 'veth' ? vethData(k) : k.kind === 'vxlan' ? vxlanData(k, parent) : [];
  return [IFLA.linkInfo, [[INFO.kind, text(k.kind)], ...(data.length > 0 ? ([[INFO.data, data]] as const) : [])]];
}

/** Makes a link, a VXLAN on the one with the index `parent`. EEXIST when the name, or a VXLAN's number and port, are taken. */
export function addLink(name: string, kind: LinkKind, settings: LinkSettings & { readonly parent?: number } = {}): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: ifinfo(0, settings.up),
    attrs: [[IFLA.name, text(name)], ...settingsAttrs(settings), kindAttrs(kind, settings.parent)],
  };
}

/**
 * Changes a link found by index, or by name when it is a string. `hairpin` needs the link to be a bridge port; `kind` names what is
 * changed of its kind, the `changeableOptions`. Only one of the two at a time.
 */
export function changeLink(
  link: number | string,
  settings: LinkSettings & { readonly alias?: string; readonly hairpin?: boolean; readonly kind?: KindChange },
): NetlinkRequest {
  const attrs: Attr[] = typeof link === 'string' ? [[IFLA.name, text(link)]] : [];
  attrs.push(...settingsAttrs(settings));
  if (settings.alias !== undefined) attrs.push([IFLA.alias, Buffer.from(settings.alias, 'utf8')]);
  if (settings.hairpin !== undefined) {
    const port: Attr = [INFO.slaveData, [[BRPORT_MODE, flag(settings.hairpin)]]];
    attrs.push([IFLA.linkInfo, [[INFO.slaveKind, text('bridge')], port]]);
  }
  if (settings.kind !== undefined) attrs.push(kindAttrs(settings.kind));
  // NEWLINK without CREATE, not SETLINK: only this one reads a port's settings.
  return { type: RTM_NEWLINK, body: ifinfo(typeof link === 'string' ? 0 : link, settings.up), attrs };
}

/** About a link found as `changeLink` finds it. */
function about(type: number, link: number | string): NetlinkRequest {
  return typeof link === 'string'
    ? { type, body: ifinfo(0, undefined), attrs: [[IFLA.name, text(link)]] }
    : { type, body: ifinfo(link, undefined) };
}

export function deleteLink(link: number | string): NetlinkRequest {
  return about(RTM_DELLINK, link);
}

export function getLink(link: number | string): NetlinkRequest {
  return about(RTM_GETLINK, link);
}

export const getLinks: NetlinkRequest = { type: RTM_GETLINK, body: ifinfo(0, undefined) };

/** Reads RTM_NEWLINK; undefined for any other message. */
export function parseLink(message: NetlinkMessage): Link | undefined {
  if (message.type !== RTM_NEWLINK || message.data.length < 16) return undefined;
  const attrs = decodeAttrs(message.data, 16);
  const info = decodeAttrs(attrs.get(IFLA.linkInfo));
  const kind = readText(info.get(INFO.kind));
  // A bridge has forty options, none of which is read.
  const vxlan = kind === 'vxlan' ? decodeAttrs(info.get(INFO.data)) : undefined;
  const port = decodeAttrs(info.get(INFO.slaveData));
  return {
    index: message.data.readInt32LE(4),
    name: readText(attrs.get(IFLA.name)),
    kind,
    mac: formatMac(attrs.get(IFLA.address) ?? Buffer.alloc(0)),
    mtu: readU32(attrs.get(IFLA.mtu)),
    up: (message.data.readUInt32LE(8) & IFF_UP) !== 0,
    master: readU32(attrs.get(IFLA.master)),
    parent: readU32(vxlan ? vxlan.get(VXLAN.link) : attrs.get(IFLA.link)),
    alias: readText(attrs.get(IFLA.alias)),
    hairpin: port.get(BRPORT_MODE)?.[0] === 1,
    ...(vxlan ? { details: parseVxlan(vxlan) } : kind === 'bridge' ? { details: { kind } } : {}),
  };
}

function parseVxlan(data: ReadonlyMap<number, Buffer>): Vxlan {
  const local = data.get(VXLAN.local) ?? data.get(VXLAN.local6);
  return {
    kind: 'vxlan',
    vni: readU32(data.get(VXLAN.id)),
    port: data.get(VXLAN.port)?.readUInt16BE(0) ?? 0,
    local: local ? bytesToIp(local) : '',
    learning: data.get(VXLAN.learning)?.[0] === 1,
  };
}
