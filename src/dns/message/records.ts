/** Records as wire bytes (RFC 1035 §4.1.3), made once and sent often. dns-packet encodes them. */
import packet from 'dns-packet';

/** Part of the package, but not of its types. */
const { answer: codec } = packet as unknown as {
  readonly answer: {
    readonly encode: { (record: packet.Answer, to: Buffer, at: number): Buffer; readonly bytes: number };
    encodingLength(record: packet.Answer): number;
  };
};

type WithoutName<T> = T extends unknown ? Omit<T, 'name'> : never;

/** `owner` undefined: the name of the question, as a pointer to offset 12, where it always stands. */
export function record(owner: string | undefined, data: WithoutName<packet.Answer>): Buffer {
  const whole = { ...data, name: owner ?? '.' } as packet.Answer;
  // The root's name has one byte, a pointer two.
  const at = owner === undefined ? 1 : 0;
  const out = Buffer.allocUnsafe(at + codec.encodingLength(whole));
  codec.encode(whole, out, at);
  if (owner === undefined) out.writeUInt16BE(0xc00c, 0);
  return out.subarray(0, at + codec.encode.bytes);
}

export function addressRecord(owner: string | undefined, ttl: number, ip: string): Buffer {
  return record(owner, { type: ip.includes(':') ? 'AAAA' : 'A', ttl, data: ip });
}

export interface Srv {
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 2782; the priority is always 0. */
export function srvRecord(ttl: number, srv: Srv): Buffer {
  return record(undefined, { type: 'SRV', ttl, data: { priority: 0, ...srv } });
}

export function nameRecord(owner: string | undefined, type: 'CNAME' | 'NS' | 'PTR', ttl: number, target: string): Buffer {
  return record(owner, { type, ttl, data: target });
}

export function txtRecord(ttl: number, text: string): Buffer {
  return record(undefined, { type: 'TXT', ttl, data: text });
}

/** The record that makes a negative answer cacheable (RFC 2308): its minimum is the ttl. `owner` is the zone's or a reverse zone's. */
export function soaRecord(owner: string, zone: string, ttl: number, serial: number): Buffer {
  const names = { mname: `ns.dns.${zone}`, rname: `hostmaster.${zone}` };
  return record(owner, { type: 'SOA', ttl, data: { ...names, serial, refresh: 7200, retry: 1800, expire: 86_400, minimum: ttl } });
}

/** What we offer to take by UDP. https://dnsflagday.net/2020 */
const ourUdpSize = 1232;

/** RFC 6891 §6.1.2. `highRcode`: the bits of the code that have no room in the header. */
export function optRecord(highRcode: number, wantsDnssec: boolean): Buffer {
  const flags = wantsDnssec ? packet.DNSSEC_OK : 0;
  const opt = { type: 'OPT', udpPayloadSize: ourUdpSize, extendedRcode: highRcode, ednsVersion: 0, flags, options: [] };
  return record('.', opt as unknown as WithoutName<packet.Answer>);
}
