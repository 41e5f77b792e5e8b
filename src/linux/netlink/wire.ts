/**
 * How bytes get to the kernel and back: on the event loop, by the package `netlink`; or beside it, in a thread of the pool.
 *
 * Both are set up the same way. Above all the kernel must never report an overrun as an error of the socket (ENOBUFS): the event loop
 * takes such a socket for broken, and the package then ends the process. It only counts what it drops, and `drops` tells it.
 */
import { closeSync, openSync } from 'node:fs';
// The whole package brings half a megabyte of wireless and routing structures along, into every process.
import { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { i32, loadLibc } from '../libc.ts';
import { bpf, encodeFilter } from '../socket-filter.ts';
import { errnoName, NetlinkError } from './netlink-error.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_PROTOCOL = 38;
const SO_MEMINFO = 55;
/** Index of the count of dropped datagrams among the nine numbers of SO_MEMINFO (include/uapi/linux/sock_diag.h). */
const SK_MEMINFO_DROPS = 8;
const SK_MEMINFO_VARS = 9;
const SOL_NETLINK = 270;
const NETLINK_NO_ENOBUFS = 5;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_DONTWAIT = 0x40;
/** The kernel fills at most 32 KB of a dump at a time. */
const LONGEST_DATAGRAM = 64 * 1024;

export interface WireOptions {
  readonly protocol: number;
  /** Bytes of datagrams that may wait unread. */
  readonly room: number;
  /** The bytes are the receiver's to keep. A notice is what a multicast group hears, also about a change that was asked for here. */
  onDatagram(bytes: Buffer, isNotice: boolean): void;
  /** Reading failed. Whatever was under way is unknown. */
  onBroken(): void;
}

/** One buffer of requests. */
export interface Sending {
  readonly bytes: Uint8Array;
  /** It goes beside the event loop, if anything does, however short it is. */
  readonly isLong?: boolean;
  /** The answer is a long list that the kernel works out while it is read. */
  readonly isDump: boolean;
  /** Whether every answer that is waited for has come. */
  isAnswered(): boolean;
}

export interface Wire {
  /** By which the kernel names this socket in messages. */
  readonly port: number;
  /** Throws NetlinkError when the kernel did not take the bytes, or (beside the event loop) did not answer. */
  send(sending: Sending, doing: string): Promise<void>;
  /** Joins a multicast group. */
  join(group: number): void;
  /** From now on what the kernel tells about changes that came through the socket of this port does not come. */
  ignore(port: number): void;
  /** How many datagrams the kernel has dropped for want of room. */
  drops(): number;
  unref(): void;
  close(): void;
}

/** On the event loop: for quick requests, and for notices. */
export class LoopWire implements Wire {
  readonly port: number;
  readonly #socket: RawNetlinkSocket;
  readonly #fd: number;
  #isClosed = false;

  constructor(options: WireOptions) {
    const { socket, fd, port } = openByPackage(options.protocol);
    this.#socket = socket;
    this.#fd = fd;
    this.port = port;
    configure(fd, options.room);
    socket.on('message', (bytes, { groups }) => this.#outside(() => options.onDatagram(bytes, groups !== 0)));
    socket.on('error', () => this.#outside(() => options.onBroken()));
  }

  /** Not within a callback of the package: an exception there would end the process by SIGABRT, without a word of where it was. */
  #outside(tell: () => void): void {
    setImmediate(() => {
      if (!this.#isClosed) tell();
    });
  }

  send({ bytes }: Sending, doing: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, undefined, (err) => (err ? reject(new NetlinkError(err.code, doing)) : resolve()));
    });
  }

  join(group: number): void {
    this.#socket.addMembership(group);
  }

  ignore(port: number): void {
    loadLibc().attachFilter(this.#fd, notOfPort(port));
  }

  drops(): number {
    return dropsOf(this.#fd);
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#isClosed = true;
    // In a turn of its own: where an answer comes while a request waits to be sent, the package goes on with the socket after whoever was told has closed it, and
    // the process ends with SIGSEGV.
    setImmediate(() => this.#socket.close());
  }
}

/** At most one request of a protocol is in the kernel: it lets only one in anyway, and waiting there would take up the pool. */
const turns = new Map<number, Promise<unknown>>();

function inTurn<T>(protocol: number, work: () => Promise<T>): Promise<T> {
  const result = (turns.get(protocol) ?? Promise.resolve()).then(work);
  turns.set(
    protocol,
    result.catch(() => {}),
  );
  return result;
}

/**
 * Beside the event loop: for what keeps the kernel busy. Changing links waits for the RTNL lock and for RCU grace periods (deleting one
 * veth takes 10 to 30 ms inside send(2)), a table of ten thousand Services takes seconds; a process that also answers DNS must not
 * stand still for that. It reads only what it has asked for, so it hears no notices.
 */
export class AsideWire implements Wire {
  readonly port: number;
  readonly #options: WireOptions;
  /** Shorter ones are sent on the event loop. */
  readonly #fromBytes: number;
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(LONGEST_DATAGRAM);
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: WireOptions, fromBytes = 0) {
    const libc = loadLibc();
    this.#options = options;
    this.#fromBytes = fromBytes;
    this.#fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, options.protocol);
    if (this.#fd < 0) throw new NetlinkError(errnoName(libc.errno()), `open a netlink socket of protocol ${options.protocol}`);
    try {
      configure(this.#fd, options.room);
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK, 0);
      if (libc.bind(this.#fd, address, address.length) !== 0) throw new NetlinkError(errnoName(libc.errno()), 'bind a netlink socket');
      this.port = addressOf(this.#fd)?.port ?? 0;
    } catch (err) {
      closeSync(this.#fd);
      throw err;
    }
  }

  send(sending: Sending, doing: string): Promise<void> {
    const result = this.#last.then(() => this.#exchange(sending, doing));
    this.#last = result.catch(() => {});
    return result;
  }

  async #exchange({ bytes, isLong, isDump, isAnswered }: Sending, doing: string): Promise<void> {
    const libc = loadLibc();
    const sent = await inTurn(this.#options.protocol, async () => (this.#isClosed ? undefined : this.#send(bytes, isLong)));
    if (sent === undefined) throw new NetlinkError('ESHUTDOWN', doing);
    // Its errno stays in the other thread. A kernel that has no room for the bytes is what happens.
    if (sent !== bytes.length) throw new NetlinkError('EMSGSIZE', doing);
    // The kernel has worked before send(2) came back: every answer is there, but for a dump, of which each read makes the next part.
    while (!isAnswered()) {
      const length = isDump
        ? await libc.recvAside(this.#fd, this.#buffer, MSG_DONTWAIT)
        : libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
      if (length <= 0) throw new NetlinkError('ENOBUFS', doing);
      this.#options.onDatagram(Buffer.from(this.#buffer.subarray(0, length)), false);
    }
  }

  /** What send(2) returned. */
  #send(bytes: Uint8Array, isLong = false): number | Promise<number> {
    const libc = loadLibc();
    return bytes.length < this.#fromBytes && !isLong ? libc.send(this.#fd, bytes, bytes.length, 0) : libc.sendAside(this.#fd, bytes);
  }

  join(group: number): void {
    throw new RangeError(`Cannot join group ${group}: a socket beside the event loop hears no notices`);
  }

  /** It hears nothing of anybody. */
  ignore(): void {}

  drops(): number {
    return dropsOf(this.#fd);
  }

  /** It keeps no process alive. */
  unref(): void {}

  close(): void {
    this.#isClosed = true;
    // A request may be under way: its descriptor must not be used again by something else.
    void this.#last.then(() => closeSync(this.#fd));
  }
}

/**
 * A socket of the package, with its descriptor, which the package does not tell: it is the lowest free one, unless another thread was
 * quicker, which shows.
 */
function openByPackage(protocol: number): { readonly socket: RawNetlinkSocket; readonly fd: number; readonly port: number } {
  for (let attempt = 0; attempt < 20; attempt++) {
    const fd = openSync('/', 'r');
    closeSync(fd);
    const socket = new RawNetlinkSocket(protocol);
    const { port } = socket.address();
    const found = addressOf(fd);
    if (found?.port === port && found.protocol === protocol) return { socket, fd, port };
    socket.close();
  }
  throw new NetlinkError('EBADF', 'find the descriptor of a netlink socket');
}

function addressOf(fd: number): { readonly protocol: number; readonly port: number } | undefined {
  const libc = loadLibc();
  const address = Buffer.alloc(12);
  if (libc.getsockname(fd, address, i32(address.length)) !== 0 || address.readUInt16LE(0) !== AF_NETLINK) return undefined;
  const protocol = Buffer.alloc(4);
  libc.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, i32(protocol.length));
  return { protocol: protocol.readInt32LE(0), port: address.readUInt32LE(4) };
}

/** What every netlink socket here is. Throws NetlinkError. */
function configure(fd: number, room: number): void {
  const libc = loadLibc();
  const set = (level: number, name: number, value: number): boolean => libc.setsockopt(fd, level, name, i32(value), 4) === 0;
  if (!set(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)) throw new NetlinkError(errnoName(libc.errno()), 'set up a netlink socket');
  // Beyond net.core.rmem_max, some 200 KB, for who may; a batch must go out in one send, however large.
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, room)) set(SOL_SOCKET, SO_RCVBUF, room);
  if (!set(SOL_SOCKET, SO_SNDBUFFORCE, room)) set(SOL_SOCKET, SO_SNDBUF, room);
  // A refusal carries the kernel's words, and not the whole request.
  set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
  // A listing is filtered by what the request says, and a request with nonsense in it is refused (Linux 4.20).
  set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
}

/** Lets a datagram pass unless its first message names this port (nlmsg_pid). */
function notOfPort(port: number): Uint8Array {
  const portAt = 12;
  // Loaded as if it were big endian.
  const swapped = Buffer.alloc(4);
  swapped.writeUInt32LE(port);
  return encodeFilter([
    [bpf.loadWord, 0, 0, portAt],
    [bpf.jumpIfEqual, 0, 1, swapped.readUInt32BE()],
    [bpf.give, 0, 0, 0],
    [bpf.give, 0, 0, 0xffffffff],
  ]);
}

function dropsOf(fd: number): number {
  const info = Buffer.alloc(4 * SK_MEMINFO_VARS);
  if (loadLibc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, i32(info.length)) !== 0) return 0;
  return info.readUInt32LE(4 * SK_MEMINFO_DROPS);
}
