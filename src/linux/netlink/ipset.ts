/** Sets over nfnetlink: requests and what the kernel answers. Pure. Source: include/uapi/linux/netfilter/ipset/ip_set.h. */
import { bytesToIp, type Family, familyOf } from '../../ip/ip.ts';
import type { HeldIpset, IpsetDeclaration, IpsetOp, IpsetType } from '../ipset/ipset.ts';
import { addressFamilies } from '../socket-address.ts';
import { type Attr, decodeAttrs, eachAttr, ip, readText, text, u8, u16be, u32be } from './attribute.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';
import { IPPROTO } from './tracked-flow.ts';

const NFNL_SUBSYS_IPSET = 6 << 8;
const IPSET_CMD = { protocol: 1, create: 2, destroy: 3, flush: 4, swap: 6, list: 7, add: 9, del: 10 } as const;
const IPSET_PROTOCOL = 6;
const ATTR = { protocol: 1, name: 2, type: 3, name2: 3, revision: 4, family: 5, flags: 6, data: 7, entries: 8, lineNumber: 9 } as const;
const NET_BYTEORDER = 0x4000;
const DATA = { ip: 1, port: 4, portTo: 5, proto: 7, lineNumber: 9, hashSize: 18, maxElements: 19, ip2: 20, prefix2: 21 } as const;
const IPADDR = { 4: 1, 6: 2 } as const;
const IPSET_FLAG_LIST_SETNAME = 2;
/** As kube-proxy makes them: a set of other sizes would not be taken for the same one. */
const [hashSize, maxElements] = [1024, 65_536];
/** Of a set's layout; newer ones add what is not used here. Linux has had these since 3.2, with SCTP. */
const revisions: Readonly<Record<IpsetType, number>> = {
  'hash:ip': 0,
  'hash:ip,port': 1,
  'hash:ip,port,ip': 1,
  'hash:ip,port,net': 3,
  'bitmap:port': 0,
};
/** Refusals that are no errno (from 4096 on). */
const ownErrors: Readonly<Record<string, string>> = {
  'errno 4097': 'IPSET_ERR_PROTOCOL',
  'errno 4098': 'IPSET_ERR_FIND_TYPE',
  'errno 4099': 'IPSET_ERR_MAX_SETS',
  'errno 4100': 'IPSET_ERR_BUSY',
  'errno 4101': 'IPSET_ERR_EXIST_SETNAME2',
  'errno 4102': 'IPSET_ERR_TYPE_MISMATCH',
  'errno 4103': 'IPSET_ERR_EXIST',
  'errno 4104': 'IPSET_ERR_INVALID_CIDR',
  'errno 4106': 'IPSET_ERR_INVALID_FAMILY',
  'errno 4352': 'IPSET_ERR_HASH_FULL',
};

/** The name of a refusal in ip_set.h, where it is one of its own. */
export function ipsetErrno(errno: string): string {
  return ownErrors[errno] ?? errno;
}

/** `struct nfgenmsg`. */
const bodies: Readonly<Record<Family, Uint8Array>> = { 4: bodyOf(4), 6: bodyOf(6) };
const protocolAttr: Attr = [ATTR.protocol, u8(IPSET_PROTOCOL)];

function bodyOf(family: Family): Uint8Array {
  return Uint8Array.of(addressFamilies[family], 0, 0, 0);
}

function request(command: number, attrs: readonly Attr[], family: Family = 4): NetlinkRequest {
  return { type: NFNL_SUBSYS_IPSET | command, body: bodies[family], attrs: [protocolAttr, ...attrs] };
}

export const askProtocol: NetlinkRequest = request(IPSET_CMD.protocol, []);

export const listSetNames: NetlinkRequest = request(IPSET_CMD.list, [[ATTR.flags | NET_BYTEORDER, u32be(IPSET_FLAG_LIST_SETNAME)]]);

export function listSet(name: string): NetlinkRequest {
  return request(IPSET_CMD.list, [[ATTR.name, text(name)]]);
}

function create({ name, type, family }: IpsetDeclaration): NetlinkRequest {
  const data: Attr[] =
    type === 'bitmap:port'
      ? [
          [DATA.port | NET_BYTEORDER, u16be(0)],
          [DATA.portTo | NET_BYTEORDER, u16be(65_535)],
        ]
      : [
          [DATA.hashSize | NET_BYTEORDER, u32be(hashSize)],
          [DATA.maxElements | NET_BYTEORDER, u32be(maxElements)],
        ];
  return request(
    IPSET_CMD.create,
    [
      [ATTR.name, text(name)],
      [ATTR.type, text(type)],
      [ATTR.revision, u8(revisions[type])],
      [ATTR.family, u8(family === undefined ? 0 : addressFamilies[family])],
      [ATTR.data, data],
    ],
    family,
  );
}

function address(type: number, text: string): Attr {
  return [type, [[IPADDR[familyOf(text)] | NET_BYTEORDER, ip(text)]]];
}

function portAttrs(text: string): Attr[] {
  const [protocol = '', port = ''] = text.split(':');
  const number = IPPROTO[protocol as keyof typeof IPPROTO];
  if (number === undefined) throw new RangeError(`Cannot read "${text}": not PROTOCOL:PORT`);
  return [
    [DATA.port | NET_BYTEORDER, u16be(Number(port))],
    [DATA.proto, u8(number)],
  ];
}

/** Attributes of what tens of thousands of entries have in common, such as the address and port of source ranges, each made once. */
class Attributes {
  readonly #names = new Map<string, Attr>();
  readonly #places = new Map<string, readonly Attr[]>();
  readonly #prefixes = new Map<number, Attr>();

  ofSet(name: string): Attr {
    return once(this.#names, name, () => [ATTR.name, text(name)]);
  }

  /** An entry's text as attributes. Throws RangeError when it is none of the type. */
  ofEntry(type: IpsetType, entry: string): readonly Attr[] {
    if (type === 'bitmap:port') return [[DATA.port | NET_BYTEORDER, u16be(Number(entry))]];
    if (type === 'hash:ip') return [address(DATA.ip, entry)];
    const hasSecond = type !== 'hash:ip,port';
    const end = hasSecond ? entry.lastIndexOf(',') : entry.length;
    const place = once(this.#places, entry.slice(0, end), (words) => {
      const [ip = '', port = ''] = words.split(',');
      return [address(DATA.ip, ip), ...portAttrs(port)];
    });
    return hasSecond ? [...place, ...this.#second(type, entry.slice(end + 1))] : place;
  }

  #second(type: IpsetType, words: string): readonly Attr[] {
    const [ip = '', prefix] = words.split('/');
    if (type !== 'hash:ip,port,net') return [address(DATA.ip2, ip)];
    const length = Number(prefix ?? (familyOf(ip) === 4 ? 32 : 128));
    return [address(DATA.ip2, ip), once(this.#prefixes, length, () => [DATA.prefix2, u8(length)])];
  }
}

function once<K, V>(made: Map<K, V>, key: K, make: (key: K) => V): V {
  const known = made.get(key);
  if (known !== undefined) return known;
  const value = make(key);
  made.set(key, value);
  return value;
}

function change(command: number, { name, type, family }: IpsetDeclaration, entry: string, attributes: Attributes): NetlinkRequest {
  return request(command, [attributes.ofSet(name), [ATTR.data, attributes.ofEntry(type, entry)]], family);
}

/**
 * The messages of changes. Without NLM_F_EXCL, what is there already or is not there any more is fine (flag_exist() in Linux). Refusals: ENOENT for
 * no such set, IPSET_ERR_BUSY for one that rules name, EEXIST for one that is another.
 */
export function changeIpsets(ops: readonly IpsetOp[]): NetlinkRequest[] {
  const attributes = new Attributes();
  return ops.map((op) => changeOf(op, attributes));
}

function changeOf(op: IpsetOp, attributes: Attributes): NetlinkRequest {
  switch (op.op) {
    case 'create':
      return create(op.set);
    case 'destroy':
      return request(IPSET_CMD.destroy, [[ATTR.name, text(op.name)]]);
    case 'flush':
      return request(IPSET_CMD.flush, [[ATTR.name, text(op.name)]]);
    case 'swap':
      return request(IPSET_CMD.swap, [
        [ATTR.name, text(op.name)],
        [ATTR.name2, text(op.other)],
      ]);
    case 'add':
      return change(IPSET_CMD.add, op.set, op.entry, attributes);
    case 'del':
      return change(IPSET_CMD.del, op.set, op.entry, attributes);
  }
}

const types: ReadonlySet<string> = new Set(Object.keys(revisions));
const protocolNames = new Map<number, string>(Object.entries(IPPROTO).map(([name, number]) => [number, name]));

export function parseProtocol(message: NetlinkMessage | undefined): number {
  return decodeAttrs(message?.data, 4).get(ATTR.protocol)?.[0] ?? 0;
}

export function parseSetName(message: NetlinkMessage): string {
  return readText(decodeAttrs(message.data, 4).get(ATTR.name));
}

/** The answers to `listSet` together: a set of many entries comes in several. Undefined for a type that is not known here. */
export function parseSet(messages: readonly NetlinkMessage[]): HeldIpset | undefined {
  let set: IpsetDeclaration | undefined;
  const entries = new Set<string>();
  for (const { data } of messages) {
    const attrs = decodeAttrs(data, 4);
    const type = readText(attrs.get(ATTR.type));
    if (!types.has(type)) {
      if (type !== '') return undefined;
    } else set ??= declarationOf(readText(attrs.get(ATTR.name)), type as IpsetType, attrs.get(ATTR.family)?.[0]);
    const held = attrs.get(ATTR.entries);
    const known = set?.type;
    if (held && known) eachAttr(held, (_, value) => entries.add(entryText(known, decodeAttrs(value))));
  }
  return set && { set, entries };
}

function declarationOf(name: string, type: IpsetType, family: number | undefined): IpsetDeclaration {
  if (type === 'bitmap:port') return { name, type };
  return { name, type, family: family === addressFamilies[6] ? 6 : 4 };
}

function addressText(nested: Buffer | undefined): string {
  const attrs = decodeAttrs(nested);
  const bytes = attrs.get(IPADDR[4]) ?? attrs.get(IPADDR[6]);
  return bytes ? bytesToIp(bytes) : '';
}

function entryText(type: IpsetType, data: ReadonlyMap<number, Buffer>): string {
  const port = data.get(DATA.port)?.readUInt16BE(0) ?? 0;
  if (type === 'bitmap:port') return String(port);
  const words = [addressText(data.get(DATA.ip))];
  if (type !== 'hash:ip') words.push(`${protocolNames.get(data.get(DATA.proto)?.[0] ?? 0) ?? 'unknown'}:${port}`);
  if (type === 'hash:ip,port,ip' || type === 'hash:ip,port,net') {
    const other = addressText(data.get(DATA.ip2));
    const whole = familyOf(other) === 4 ? 32 : 128;
    const prefix = data.get(DATA.prefix2)?.[0] ?? whole;
    words.push(prefix === whole ? other : `${other}/${prefix}`);
  }
  return words.join(',');
}
