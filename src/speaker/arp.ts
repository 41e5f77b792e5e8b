/** ARP over Ethernet (RFC 826): who asks for an address, and what it is told. Pure. */
import { bytesToIp, ipToBytes } from '../ip/ip.ts';

const etherTypeArp = 0x0806;
const asks = 1;
const replies = 2;
const length = 42;
export const broadcast: Uint8Array = new Uint8Array(6).fill(0xff);

export interface ArpRequest {
  readonly senderMac: Uint8Array;
  readonly senderIp: string;
  readonly targetIp: string;
}

/** Undefined for a frame that is no request for an IPv4 address. */
export function readArpRequest(frame: Buffer): ArpRequest | undefined {
  if (frame.length < length || frame.readUInt16BE(12) !== etherTypeArp) return undefined;
  // Ethernet, IPv4, 6 and 4 bytes.
  if (frame.readUInt16BE(14) !== 1 || frame.readUInt16BE(16) !== 0x0800 || frame.readUInt16BE(18) !== 0x0604) return undefined;
  if (frame.readUInt16BE(20) !== asks) return undefined;
  return {
    senderMac: Uint8Array.from(frame.subarray(22, 28)),
    senderIp: bytesToIp(frame.subarray(28, 32)),
    targetIp: bytesToIp(frame.subarray(38, 42)),
  };
}

interface Packet {
  readonly operation: number;
  readonly to: Uint8Array;
  readonly mac: Uint8Array;
  readonly ip: string;
  readonly targetMac: Uint8Array;
  readonly targetIp: string;
}

function frameOf({ operation, to, mac, ip, targetMac, targetIp }: Packet): Buffer {
  const frame = Buffer.alloc(length);
  frame.set(to, 0);
  frame.set(mac, 6);
  frame.writeUInt16BE(etherTypeArp, 12);
  frame.writeUInt16BE(1, 14);
  frame.writeUInt16BE(0x0800, 16);
  frame.writeUInt16BE(0x0604, 18);
  frame.writeUInt16BE(operation, 20);
  frame.set(mac, 22);
  frame.set(ipToBytes(ip), 28);
  frame.set(targetMac, 32);
  frame.set(ipToBytes(targetIp), 38);
  return frame;
}

/** That the address is at `mac`, to who asked. */
export function arpReply(mac: Uint8Array, { senderMac, senderIp, targetIp }: ArpRequest): Buffer {
  return frameOf({ operation: replies, to: senderMac, mac, ip: targetIp, targetMac: senderMac, targetIp: senderIp });
}

/**
 * That the address is at `mac`, to everybody: gratuitous ARP, as request (RFC 5227 §3) and as reply, since there are machines that heed only
 * one of them.
 */
export function gratuitousArp(mac: Uint8Array, ip: string): Buffer[] {
  return [asks, replies].map((operation) => frameOf({ operation, to: broadcast, mac, ip, targetMac: broadcast, targetIp: ip }));
}
