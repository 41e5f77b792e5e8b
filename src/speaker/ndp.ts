/** Neighbour discovery of IPv6 (RFC 4861): who asks for an address, and what it is told. Pure. */
import { bytesToIp, ipToBytes } from '../ip/ip.ts';

const etherTypeIpv6 = 0x86dd;
const icmpv6 = 58;
const neighbourSolicitation = 135;
const neighbourAdvertisement = 136;
/** Who answers is a router, has been asked, and may replace what is known. A node that leads packets on is a router. */
const [Router, Solicited, Override] = [0x80, 0x40, 0x20];
const sourceLinkAddress = 1;
const targetLinkAddress = 2;
const icmpAt = 54;
const unspecified = '::';
const allNodes = 'ff02::1';
const allNodesMac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);

export interface NeighbourSolicitation {
  readonly sourceMac: Uint8Array;
  /** `::` for one who asks whether the address is free. */
  readonly sourceIp: string;
  readonly target: string;
}

/** Undefined for a frame that is none. RFC 4861 §7.1.1: from this link alone, which its hop limit of 255 proves. */
export function readSolicitation(frame: Buffer): NeighbourSolicitation | undefined {
  if (frame.length < icmpAt + 24 || frame.readUInt16BE(12) !== etherTypeIpv6) return undefined;
  if (frame[20] !== icmpv6 || frame[21] !== 255 || frame[icmpAt] !== neighbourSolicitation || frame[icmpAt + 1] !== 0) return undefined;
  if (checksumOf(frame.subarray(14)) !== 0) return undefined;
  const option = frame.subarray(icmpAt + 24, icmpAt + 32);
  const told = option.length === 8 && option[0] === sourceLinkAddress && option[1] === 1 ? option.subarray(2) : frame.subarray(6, 12);
  return {
    sourceMac: Uint8Array.from(told),
    sourceIp: bytesToIp(frame.subarray(22, 38)),
    target: bytesToIp(frame.subarray(icmpAt + 8, icmpAt + 24)),
  };
}

/** That the address is at `mac`, to who asked; to everybody when that one has no address yet. */
export function advertisement(mac: Uint8Array, { sourceMac, sourceIp, target }: NeighbourSolicitation): Buffer {
  if (sourceIp === unspecified) return unsolicitedAdvertisement(mac, target);
  return frameOf(mac, target, { mac: sourceMac, ip: sourceIp, flags: Router | Solicited | Override });
}

/** That the address is at `mac`, to everybody who knows it otherwise. */
export function unsolicitedAdvertisement(mac: Uint8Array, target: string): Buffer {
  return frameOf(mac, target, { mac: allNodesMac, ip: allNodes, flags: Router | Override });
}

function frameOf(mac: Uint8Array, target: string, to: { readonly mac: Uint8Array; readonly ip: string; readonly flags: number }): Buffer {
  const frame = Buffer.alloc(icmpAt + 32);
  frame.set(to.mac, 0);
  frame.set(mac, 6);
  frame.writeUInt16BE(etherTypeIpv6, 12);
  frame[14] = 0x60;
  frame.writeUInt16BE(32, 18);
  frame[20] = icmpv6;
  frame[21] = 255;
  frame.set(ipToBytes(target), 22);
  frame.set(ipToBytes(to.ip), 38);
  frame[icmpAt] = neighbourAdvertisement;
  frame[icmpAt + 4] = to.flags;
  frame.set(ipToBytes(target), icmpAt + 8);
  frame[icmpAt + 24] = targetLinkAddress;
  frame[icmpAt + 25] = 1;
  frame.set(mac, icmpAt + 26);
  frame.writeUInt16BE(checksumOf(frame.subarray(14)), icmpAt + 2);
  return frame;
}

/** Of ICMPv6 with the pseudo-header of its packet (RFC 8200 §8.1): 0 for one that is right. */
function checksumOf(packet: Buffer): number {
  const payload = packet.readUInt16BE(4);
  let sum = payload + icmpv6;
  const end = Math.min(40 + payload, packet.length);
  for (let at = 8; at < end; at += 2) sum += at + 1 < end ? packet.readUInt16BE(at) : (packet[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The group in which an address is asked for (RFC 4291 §2.7.1). */
export function solicitedNodeGroup(ip: string): string {
  const [a = 0, b = 0, c = 0] = ipToBytes(ip).subarray(13);
  return bytesToIp(Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c));
}
