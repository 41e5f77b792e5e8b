/** Records as wire bytes (RFC 1035 §4.1.3). */
import { ipToBytes } from '../../ip/ip.ts';
import { CLASS_IN, encodeName, TYPE } from './names.ts';

/** A pointer to the name of the question, which always stands at offset 12. */
const toQuestion = Buffer.from([0xc0, 0x0c]);

/** `owner` undefined: the name of the question. */
export function record(owner: string | undefined, type: number, ttl: number, data: Uint8Array): Buffer {
  const name = owner === undefined ? toQuestion : encodeName(owner);
  const out = Buffer.allocUnsafe(name.length + 10 + data.length);
  out.set(name, 0);
  out.writeUInt16BE(type, name.length);
  out.writeUInt16BE(CLASS_IN, name.length + 2);
  out.writeUInt32BE(ttl, name.length + 4);
  out.writeUInt16BE(data.length, name.length + 8);
  out.set(data, name.length + 10);
  return out;
}

export function addressRecord(owner: string | undefined, ttl: number, ip: string): Buffer {
  const bytes = ipToBytes(ip);
  return record(owner, bytes.length === 4 ? TYPE.A : TYPE.AAAA, ttl, bytes);
}

export interface Srv {
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 2782; the priority is always 0. */
export function srvRecord(ttl: number, srv: Srv): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(srv.weight, 2);
  head.writeUInt16BE(srv.port, 4);
  return record(undefined, TYPE.SRV, ttl, Buffer.concat([head, encodeName(srv.target)]));
}

export function nameRecord(owner: string | undefined, type: number, ttl: number, target: string): Buffer {
  return record(owner, type, ttl, encodeName(target));
}

export function txtRecord(ttl: number, text: string): Buffer {
  return record(undefined, TYPE.TXT, ttl, Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]));
}

/** The record that makes a negative answer cacheable (RFC 2308): its minimum is the ttl. `owner` is the zone's or a reverse zone's. */
export function soaRecord(owner: string, zone: string, ttl: number, serial: number): Buffer {
  const numbers = Buffer.alloc(20);
  for (const [i, n] of [serial, 7200, 1800, 86400, ttl].entries()) numbers.writeUInt32BE(n >>> 0, i * 4);
  return record(owner, TYPE.SOA, ttl, Buffer.concat([encodeName(`ns.dns.${zone}`), encodeName(`hostmaster.${zone}`), numbers]));
}
