/**
 * Many datagrams per system call: recvmmsg(2) and sendmmsg(2) over buffers that are set up once. The socket itself belongs to node:dgram,
 * which tells when there is something to read; that is why it is opened here and handed over by its number.
 */
import { closeSync } from 'node:fs';
import type koffiTypes from 'koffi';
import { loadLibc, openLibc } from './libc.ts';
import { addressFamilies, addressFamilyOf, socketAddress } from './socket-address.ts';

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
/** struct mmsghdr and struct iovec of 64-bit Linux. */
const MMSGHDR = 64;
const IOVEC = 16;
/** Room for a struct sockaddr_in6 (28 bytes). */
const SOCKADDR = 32;

interface Calls {
  readonly koffi: typeof koffiTypes;
  recvmmsg(fd: number, messages: unknown, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: unknown, count: number, flags: number): number;
}

let calls: Calls | undefined;

function load(): Calls {
  if (calls) return calls;
  const { koffi, lib: libc } = openLibc();
  calls = {
    koffi,
    recvmmsg: libc.func('int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)') as Calls['recvmmsg'],
    sendmmsg: libc.func('int sendmmsg(int fd, void *messages, unsigned int count, int flags)') as Calls['sendmmsg'],
  };
  return calls;
}

/** A bound UDP socket for `dgram.Socket.bind({fd})`; undefined when that cannot be had, for whatever reason: dgram will tell it. */
export function openUdpSocket(address: string, port: number): number | undefined {
  try {
    const libc = loadLibc();
    const sockaddr = socketAddress(address, port);
    const fd = libc.socket(addressFamilyOf(address), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    if (libc.bind(fd, sockaddr, sockaddr.length) === 0) return fd;
    closeSync(fd);
  } catch {
    // No koffi for this machine, or an address with a scope.
  }
  return undefined;
}

export interface BatchOptions {
  /** How many datagrams per call. */
  readonly size: number;
  /** The longest datagram that is taken; what is longer is dropped. */
  readonly maxReceive: number;
  readonly maxSend: number;
}

/** Where a datagram came from, for an answer that is sent later. */
export interface Sender {
  readonly address: string;
  readonly port: number;
}

/** Receives and answers datagrams of one socket in batches. All buffers are reused: what is kept must be copied. */
export class DatagramBatch {
  readonly size: number;
  readonly #fd: number;
  readonly #calls: Calls;
  readonly #memory: Buffer;
  readonly #options: BatchOptions;
  readonly #inHeaders: unknown;
  readonly #outHeaders: unknown;
  readonly #inbox: Buffer[] = [];
  readonly #names: Buffer[] = [];
  readonly #outbox: Buffer[] = [];
  readonly #at: { readonly inHeaders: number; readonly outHeaders: number; readonly inIovecs: number; readonly outIovecs: number };
  #nameAddress: bigint[] = [];
  #pending = 0;

  constructor(fd: number, options: BatchOptions) {
    const { size, maxReceive, maxSend } = options;
    this.#fd = fd;
    this.size = size;
    this.#options = options;
    this.#calls = load();
    const { koffi } = this.#calls;
    const at = {
      inHeaders: 0,
      outHeaders: size * MMSGHDR,
      inIovecs: size * MMSGHDR * 2,
      outIovecs: size * (MMSGHDR * 2 + IOVEC),
      names: size * (MMSGHDR * 2 + IOVEC * 2),
      inbox: size * (MMSGHDR * 2 + IOVEC * 2 + SOCKADDR),
      outbox: size * (MMSGHDR * 2 + IOVEC * 2 + SOCKADDR + maxReceive),
    };
    this.#at = at;
    const total = at.outbox + size * maxSend;
    const pointer: unknown = koffi.alloc('uint8_t', total);
    const base = koffi.address(pointer);
    const memory = Buffer.from(koffi.view(pointer, total));
    memory.fill(0);
    this.#memory = memory;
    // The headers lie at the start of memory: the second array is reached through a pointer value of its own.
    this.#inHeaders = pointer;
    this.#outHeaders = base + BigInt(at.outHeaders);
    const iovec = (index: number, from: number, target: number, length: number): void => {
      memory.writeBigUInt64LE(base + BigInt(target), from + index * IOVEC);
      memory.writeBigUInt64LE(BigInt(length), from + index * IOVEC + 8);
    };
    const header = (index: number, from: number, name: number, iovecs: number): void => {
      const start = from + index * MMSGHDR;
      memory.writeBigUInt64LE(base + BigInt(name), start);
      memory.writeUInt32LE(SOCKADDR, start + 8);
      memory.writeBigUInt64LE(base + BigInt(iovecs + index * IOVEC), start + 16);
      memory.writeBigUInt64LE(1n, start + 24);
    };
    for (let i = 0; i < size; i++) {
      const name = at.names + i * SOCKADDR;
      iovec(i, at.inIovecs, at.inbox + i * maxReceive, maxReceive);
      iovec(i, at.outIovecs, at.outbox + i * maxSend, maxSend);
      header(i, at.inHeaders, name, at.inIovecs);
      header(i, at.outHeaders, name, at.outIovecs);
      this.#nameAddress.push(base + BigInt(name));
      this.#names.push(memory.subarray(name, name + SOCKADDR));
      this.#inbox.push(memory.subarray(at.inbox + i * maxReceive, at.inbox + (i + 1) * maxReceive));
      this.#outbox.push(memory.subarray(at.outbox + i * maxSend, at.outbox + (i + 1) * maxSend));
    }
  }

  /** Takes what is there, at most `size`, without waiting. Gives how many. */
  receive(): number {
    const { inHeaders } = this.#at;
    for (let i = 0; i < this.size; i++) this.#memory.writeUInt32LE(SOCKADDR, inHeaders + i * MMSGHDR + 8);
    return Math.max(this.#calls.recvmmsg(this.#fd, this.#inHeaders, this.size, MSG_DONTWAIT, null), 0);
  }

  /** Datagram `index` of the last receive(); undefined when it was longer than there is room. */
  message(index: number): Buffer | undefined {
    const length = this.#memory.readUInt32LE(this.#at.inHeaders + index * MMSGHDR + 56);
    return length < this.#options.maxReceive ? this.#inbox[index]?.subarray(0, length) : undefined;
  }

  sender(index: number): Sender {
    const name = this.#names[index] ?? Buffer.alloc(SOCKADDR);
    const port = name.readUInt16BE(2);
    if (name.readUInt16LE(0) === addressFamilies[4]) return { address: name.subarray(4, 8).join('.'), port };
    const groups = Array.from({ length: 8 }, (_, i) => name.readUInt16BE(8 + i * 2).toString(16));
    return { address: groups.join(':'), port };
  }

  /** The buffer of the next answer, which goes to the sender of datagram `index`; call queued() with its length. */
  room(): Buffer {
    return this.#outbox[this.#pending] as Buffer;
  }

  queued(index: number, length: number): void {
    const start = this.#at.outHeaders + this.#pending * MMSGHDR;
    this.#memory.writeBigUInt64LE(this.#nameAddress[index] ?? 0n, start);
    this.#memory.writeUInt32LE(this.#memory.readUInt32LE(this.#at.inHeaders + index * MMSGHDR + 8), start + 8);
    this.#memory.writeUInt32LE(length, this.#at.outIovecs + this.#pending * IOVEC + 8);
    this.#pending++;
  }

  /** Sends what was queued. What the kernel has no room for is lost, as datagrams are. */
  send(): void {
    for (let sent = 0; sent < this.#pending; ) {
      const headers = sent === 0 ? this.#outHeaders : (this.#outHeaders as bigint) + BigInt(sent * MMSGHDR);
      const n = this.#calls.sendmmsg(this.#fd, headers, this.#pending - sent, MSG_DONTWAIT);
      // The first of these cannot be sent (nobody there, no room): the others may.
      sent += Math.max(n, 1);
    }
    this.#pending = 0;
  }

  /** Gives the buffers back. Nothing of this object may be used afterwards. */
  close(): void {
    this.#calls.koffi.free(this.#inHeaders);
  }
}
