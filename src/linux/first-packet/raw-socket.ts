/** A raw socket in a network namespace (raw(7)): it sends what follows an IP header, and hears every packet of its protocol. */
import { closeSync } from 'node:fs';
import { promisify } from 'node:util';
import { bytesToIp, familyOf } from '../../ip/ip.ts';
import { i32, loadLibc, openLibc } from '../libc.ts';
import { errnoName, NetlinkError } from '../netlink/netlink-error.ts';
import { inNetns } from '../netns.ts';
import { addressFamilyOf, socketAddress } from '../socket-address.ts';
import { segmentOf } from './segment.ts';

const SOCK_RAW_NONBLOCK_CLOEXEC = 0o2004003;
const POLLIN = 1;
const longestPacket = 64 << 10;

interface RawCalls {
  recvfrom(fd: number, bytes: Uint8Array, length: number, flags: number, from: Uint8Array, fromLength: Uint8Array): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  poll(fds: Buffer, count: number, timeoutMs: number): Promise<number>;
}

let calls: RawCalls | undefined;

function loadCalls(): RawCalls {
  if (calls) return calls;
  const { lib } = openLibc();
  calls = {
    recvfrom: lib.func(
      'intptr_t recvfrom(int fd, _Out_ uint8_t *bytes, uintptr_t length, int flags, _Out_ uint8_t *from, _Inout_ uint8_t *from_length)',
    ) as unknown as RawCalls['recvfrom'],
    connect: lib.func('int connect(int fd, const void *address, uint32_t length)') as RawCalls['connect'],
    send: lib.func('intptr_t send(int fd, const void *bytes, uintptr_t length, int flags)') as unknown as RawCalls['send'],
    poll: promisify(lib.func('int poll(void *fds, uint64_t count, int timeout)').async) as RawCalls['poll'],
  };
  return calls;
}

export interface Received {
  readonly segment: Buffer;
  readonly from: string;
}

export class RawSocket implements Disposable {
  readonly #fd: number;
  readonly #isV4: boolean;

  /** Throws NetlinkError, by the errno of the kernel: EPERM without CAP_NET_RAW, EADDRNOTAVAIL for an address that is not there. */
  constructor(netns: string, protocol: number, from: string, to?: string) {
    const { socket, bind, errno } = loadLibc();
    this.#isV4 = familyOf(from) === 4;
    this.#fd = inNetns(netns, () => socket(addressFamilyOf(from), SOCK_RAW_NONBLOCK_CLOEXEC, protocol));
    const must = (result: number, doing: string): void => {
      if (result >= 0) return;
      const why = errnoName(errno());
      if (this.#fd >= 0) closeSync(this.#fd);
      throw new NetlinkError(why, doing);
    };
    must(this.#fd, 'open a raw socket');
    const own = socketAddress(from, 0);
    must(bind(this.#fd, own, own.length), `send from ${from}`);
    if (to === undefined) return;
    const other = socketAddress(to, 0);
    must(loadCalls().connect(this.#fd, other, other.length), `send from ${from} to ${to}`);
  }

  /** The errno of a refusal; undefined when it is on its way. Of a socket that was given where to. */
  send(segment: Uint8Array): string | undefined {
    return loadCalls().send(this.#fd, segment, segment.length, 0) < 0 ? errnoName(loadLibc().errno()) : undefined;
  }

  /** Whether there is something to receive, or an error, within that time. */
  async isReady(timeoutMs: number): Promise<boolean> {
    const fds = Buffer.alloc(8);
    fds.writeInt32LE(this.#fd, 0);
    fds.writeInt16LE(POLLIN, 4);
    return (await loadCalls().poll(fds, 1, timeoutMs)) > 0;
  }

  /** The next packet without its IP header, and whose it is; or the errno that there is in its place (EAGAIN when nothing is). */
  receive(): Received | string {
    const bytes = Buffer.alloc(longestPacket);
    const address = Buffer.alloc(28);
    const length = loadCalls().recvfrom(this.#fd, bytes, bytes.length, 0, address, i32(address.length));
    if (length < 0) return errnoName(loadLibc().errno());
    const packet = bytes.subarray(0, length);
    // Only IPv4 gives the header.
    if (!this.#isV4) return { segment: packet, from: bytesToIp(address.subarray(8, 24)) };
    return { segment: segmentOf(packet), from: bytesToIp(address.subarray(4, 8)) };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
