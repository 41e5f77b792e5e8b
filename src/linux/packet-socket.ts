/**
 * Ethernet frames of one link: ARP requests or neighbour solicitations in, whatever is given out (packet(7)).
 *
 * Node.js waits for no such socket, so the kernel tells of frames by SIGIO: a signal costs less than a thread that waits, and frames that come while
 * the loop is busy are read at once. A filter in the kernel lets nothing else through.
 */
import { closeSync } from 'node:fs';
import { KnownError } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';
import { errnoName } from './netlink/netlink-error.ts';
import { bpf, encodeFilter, type Instruction } from './socket-filter.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;
const MSG_DONTWAIT = 0x40;
const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
/** The longest frame of an Ethernet without jumbo frames; both kinds are far shorter. */
const LONGEST_FRAME = 1514;

export type FrameKind = 'arp' | 'ndp';

interface Kind {
  readonly protocol: number;
  readonly filter: readonly Instruction[];
}

/** What a frame has at fixed places behind its 14 bytes of Ethernet. */
const kinds: Readonly<Record<FrameKind, Kind>> = {
  // The operation of ARP is 1: a request.
  arp: {
    protocol: ETH_P_ARP,
    filter: [
      [bpf.loadHalf, 0, 0, 20],
      [bpf.jumpIfEqual, 0, 1, 1],
      [bpf.give, 0, 0, LONGEST_FRAME],
      [bpf.give, 0, 0, 0],
    ],
  },
  // The next header is ICMPv6, and its type 135.
  ndp: {
    protocol: ETH_P_IPV6,
    filter: [
      [bpf.loadByte, 0, 0, 20],
      [bpf.jumpIfEqual, 0, 3, 58],
      [bpf.loadByte, 0, 0, 54],
      [bpf.jumpIfEqual, 0, 1, 135],
      [bpf.give, 0, 0, LONGEST_FRAME],
      [bpf.give, 0, 0, 0],
    ],
  },
};

/** All that are open: the signal does not say which of them has a frame. */
const open = new Set<PacketSocket>();
let listens = false;

/** For good: the signal would end a process that does not listen, and one may be on its way when the last socket closes. */
function listen(): void {
  if (listens) return;
  listens = true;
  process.on('SIGIO', () => {
    for (const socket of open) socket.drain();
  });
}

export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #buffer = Buffer.alloc(LONGEST_FRAME);
  #isClosed = false;

  /** On the link with this index, in the network namespace of the calling thread. `onFrame` must copy what it keeps. Throws KERNEL_REFUSED. */
  constructor(index: number, kind: FrameKind, onFrame: (frame: Buffer) => void) {
    const libc = loadLibc();
    this.#onFrame = onFrame;
    // Of no protocol, and so without frames, until the filter is in place.
    this.#fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw refused('open a packet socket', libc.errno());
    try {
      const { protocol, filter } = kinds[kind];
      if (libc.attachFilter(this.#fd, encodeFilter(filter)) !== 0) throw refused('filter frames', libc.errno());
      listen();
      open.add(this);
      if (libc.fcntl(this.#fd, F_SETOWN, process.pid) < 0 || libc.fcntl(this.#fd, F_SETFL, O_NONBLOCK | O_ASYNC) < 0)
        throw refused('be told of frames', libc.errno());
      const address = linkAddress(protocol, index);
      if (libc.bind(this.#fd, address, address.length) !== 0) throw refused(`listen on link ${index}`, libc.errno());
    } catch (err) {
      this[Symbol.dispose]();
      throw err;
    }
  }

  /** Sends a whole frame, if the link takes it: one that is down takes none, as a wire that is cut. */
  send(frame: Uint8Array): boolean {
    return loadLibc().send(this.#fd, frame, frame.length, MSG_DONTWAIT) === frame.length;
  }

  /** Reads what is there. */
  drain(): void {
    const libc = loadLibc();
    while (!this.#isClosed) {
      const length = libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
      if (length <= 0) return;
      this.#onFrame(this.#buffer.subarray(0, length));
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    open.delete(this);
    closeSync(this.#fd);
  }
}

/** struct sockaddr_ll. */
function linkAddress(protocol: number, index: number): Uint8Array {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(index, 4);
  return address;
}

function refused(doing: string, errno: number): KnownError {
  return new KnownError('KERNEL_REFUSED', `Cannot ${doing}: ${errnoName(errno)}`, {
    hint: 'It needs CAP_NET_RAW, and a link that is there',
  });
}
