/**
 * Sends the first packet of a connection, and waits for what comes back. It is sent by a raw socket: no program has a connection, so that the kernel
 * itself ends at once what the other side opens.
 */
import { closeSync } from 'node:fs';
import { i32, loadLibc } from '../libc.ts';
import { errnoName, NetlinkError } from '../netlink/netlink-error.ts';
import { IPPROTO } from '../netlink/tracked-flow.ts';
import { inNetns } from '../netns.ts';
import { addressFamilyOf, socketAddress } from '../socket-address.ts';
import { RawSocket } from './raw-socket.ts';
import { answerOf, firstSegment, type RawProtocol, type SegmentAnswer } from './segment.ts';

const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** What a raw socket says of an ICMP error about its packet. */
const refusals = ['ECONNREFUSED', 'ENOPROTOOPT', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES'];
/** How long it may take until whoever waits is asked whether that is enough. */
const patienceMs = 100;

export interface SentPacket {
  readonly protocol: RawProtocol;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** 0: the kernel chooses one that nobody has. */
  readonly sourcePort: number;
}

/** A socket that nobody connects, so that no other program gets its port meanwhile. */
function reservePort(netns: string, { protocol, from, sourcePort }: SentPacket): { readonly fd: number; readonly port: number } {
  const { socket, bind, getsockname, errno } = loadLibc();
  const address = Buffer.from(socketAddress(from, sourcePort));
  const fd = inNetns(netns, () => socket(addressFamilyOf(from), protocol === 'tcp' ? SOCK_STREAM_CLOEXEC : SOCK_DGRAM_CLOEXEC, 0));
  if (fd < 0 || bind(fd, address, address.length) !== 0) {
    const why = errnoName(errno());
    if (fd >= 0) closeSync(fd);
    throw new NetlinkError(why, `send from ${from}, port ${sourcePort}`);
  }
  getsockname(fd, address, i32(address.length));
  return { fd, port: address.readUInt16BE(2) };
}

export class FirstPacketSender implements Disposable {
  readonly packet: SentPacket;
  readonly #raw: RawSocket;
  readonly #reserved: number;

  /** Nothing is sent yet. Throws NetlinkError. */
  constructor(netns: string, wanted: SentPacket) {
    this.#raw = new RawSocket(netns, IPPROTO[wanted.protocol], wanted.from, wanted.to);
    try {
      const { fd, port } = reservePort(netns, wanted);
      this.#reserved = fd;
      this.packet = { ...wanted, sourcePort: port };
    } catch (err) {
      this.#raw[Symbol.dispose]();
      throw err;
    }
  }

  /** Throws NetlinkError where there is no way to send it, such as a missing route. What the kernel's own rules drop counts as sent. */
  send(): void {
    const { protocol, from, to, port } = this.packet;
    const random = 1 + Math.floor(Math.random() * 0xffff_fffe);
    const errno = this.#raw.send(firstSegment(protocol, this.packet, random));
    if (errno !== undefined && errno !== 'EPERM') throw new NetlinkError(errno, `send from ${from} to ${to}, port ${port}`);
  }

  /** Until there is an answer, that time is over, or whoever waits has enough. */
  async answer(timeoutMs: number, isEnough: () => boolean = () => false): Promise<SegmentAnswer | 'silent'> {
    const end = performance.now() + timeoutMs;
    for (let left = timeoutMs; left > 0 && !isEnough(); left = end - performance.now()) {
      if (!(await this.#raw.isReady(Math.ceil(Math.min(left, patienceMs))))) continue;
      const received = this.#raw.receive();
      const answer = typeof received === 'string' ? refusalOf(received) : answerOf(this.packet.protocol, this.packet, received.segment);
      if (answer) return answer;
    }
    return 'silent';
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
    closeSync(this.#reserved);
  }
}

/** What an errno in the place of a packet says of the one that was sent. */
export function refusalOf(errno: string): 'refused' | undefined {
  return refusals.includes(errno) ? 'refused' : undefined;
}
