/** Links over rtnetlink: requests and what the kernel answers. Pure. Source: include/uapi/linux/if_link.h. */
import { bytesToIp } from '../../ip/ip.ts';
import { type Attr, decodeAttrs, encodeAttrs, formatMac, ip, mac, readText, text, u8, u16be, u32 } from './attribute.ts';
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

export interface Vxlan {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  readonly parent: number;
  /** Whether it believes any packet about where a MAC is. */
  readonly learning: boolean;
}

/** What a link is, apart from what all links have. */
export type LinkKind =
  | { readonly kind: 'bridge' }
  | {
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
  | ({ readonly kind: 'vxlan' } & Vxlan);

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
  readonly vxlan?: Vxlan;
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

function kindAttrs(k: LinkKind): Attr {
  const data: Attr[] = [];
  if (k.kind === 'veth') {
    const peer: Attr[] = [[IFLA.name, text(k.peer.name)], ...settingsAttrs(k.peer)];
    if (k.peer.netnsFd !== undefined) peer.push([IFLA.netnsFd, u32(k.peer.netnsFd)]);
    // An ifinfomsg comes before the peer's attributes, so this is no plain nesting.
    data.push([VETH_INFO_PEER, Buffer.concat([ifinfo(0, undefined), encodeAttrs(peer)])]);
  } else if (k.kind === 'vxlan') {
    data.push([VXLAN.id, u32(k.vni)], [VXLAN.link, u32(k.parent)], [VXLAN.learning, u8(k.learning ? 1 : 0)], [VXLAN.port, u16be(k.port)]);
    data.push([k.local.includes(':') ? VXLAN.local6 : VXLAN.local, ip(k.local)]);
  }
  return [IFLA.linkInfo, [[INFO.kind, text(k.kind)], ...(data.length > 0 ? ([[INFO.data, data]] as const) : [])]];
}

/** Makes a link; EEXIST when the name, or a VXLAN's number and port, are taken. */
export function addLink(name: string, kind: LinkKind, settings: LinkSettings = {}): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: ifinfo(0, settings.up),
    attrs: [[IFLA.name, text(name)], ...settingsAttrs(settings), kindAttrs(kind)],
  };
}

/**
 * Changes a link found by index, or by name when it is a string. `hairpin` needs the link to be a bridge port, `learning` a VXLAN;
 * only one of them at a time.
 */
export function changeLink(
  link: number | string,
  settings: LinkSettings & { readonly alias?: string; readonly hairpin?: boolean; readonly learning?: boolean },
): NetlinkRequest {
  const attrs: Attr[] = typeof link === 'string' ? [[IFLA.name, text(link)]] : [];
  attrs.push(...settingsAttrs(settings));
  if (settings.alias !== undefined) attrs.push([IFLA.alias, Buffer.from(settings.alias, 'utf8')]);
  if (settings.hairpin !== undefined) {
    attrs.push([
      IFLA.linkInfo,
      [
        [INFO.slaveKind, text('bridge')],
        [INFO.slaveData, [[BRPORT_MODE, u8(settings.hairpin ? 1 : 0)]]],
      ],
    ]);
  }
  if (settings.learning !== undefined) {
    attrs.push([
      IFLA.linkInfo,
      [
        [INFO.kind, text('vxlan')],
        [INFO.data, [[VXLAN.learning, u8(settings.learning ? 1 : 0)]]],
      ],
    ]);
  }
  // NEWLINK without CREATE, not SETLINK: only this one reads a port's settings.
  return { type: RTM_NEWLINK, body: ifinfo(typeof link === 'string' ? 0 : link, settings.up), attrs };
}

export function deleteLink(link: number | string): NetlinkRequest {
  return typeof link === 'string'
    ? { type: RTM_DELLINK, body: ifinfo(0, undefined), attrs: [[IFLA.name, text(link)]] }
    : { type: RTM_DELLINK, body: ifinfo(link, undefined) };
}

export function getLink(link: number | string): NetlinkRequest {
  return typeof link === 'string'
    ? { type: RTM_GETLINK, body: ifinfo(0, undefined), attrs: [[IFLA.name, text(link)]] }
    : { type: RTM_GETLINK, body: ifinfo(link, undefined) };
}

export const getLinks: NetlinkRequest = { type: RTM_GETLINK, body: ifinfo(0, undefined) };

/** Reads RTM_NEWLINK; undefined for any other message. */
export function parseLink(message: NetlinkMessage): Link | undefined {
  if (message.type !== RTM_NEWLINK || message.data.length < 16) return undefined;
  const attrs = decodeAttrs(message.data, 16);
  const number = (type: number): number => {
    const bytes = attrs.get(type);
    return bytes && bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
  };
  const info = decodeAttrs(attrs.get(IFLA.linkInfo));
  const kind = readText(info.get(INFO.kind));
  const port = decodeAttrs(info.get(INFO.slaveData));
  return {
    index: message.data.readInt32LE(4),
    name: readText(attrs.get(IFLA.name)),
    kind,
    mac: formatMac(attrs.get(IFLA.address) ?? Buffer.alloc(0)),
    mtu: number(IFLA.mtu),
    up: (message.data.readUInt32LE(8) & IFF_UP) !== 0,
    master: number(IFLA.master),
    parent: number(IFLA.link),
    alias: readText(attrs.get(IFLA.alias)),
    hairpin: port.get(BRPORT_MODE)?.[0] === 1,
    ...(kind === 'vxlan' ? { vxlan: parseVxlan(info.get(INFO.data)) } : {}),
  };
}

function parseVxlan(data: Buffer | undefined): Vxlan {
  const attrs = decodeAttrs(data);
  const local = attrs.get(VXLAN.local) ?? attrs.get(VXLAN.local6);
  return {
    vni: attrs.get(VXLAN.id)?.readUInt32LE(0) ?? 0,
    port: attrs.get(VXLAN.port)?.readUInt16BE(0) ?? 0,
    local: local ? bytesToIp(local) : '',
    parent: attrs.get(VXLAN.link)?.readUInt32LE(0) ?? 0,
    learning: attrs.get(VXLAN.learning)?.[0] === 1,
  };
}
