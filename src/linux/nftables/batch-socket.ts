/**
 * A netlink socket to the packet filter. It is opened by FFI and not by the `netlink` package because a batch must go
 * out in one `send`, however large: that takes SO_SNDBUFFORCE, which the package does not offer (SO_SNDBUF ends at
 * net.core.wmem_max, some 400 KB; 5,000 Services need more).
 */
import { closeSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import { i32, loadLibc } from '../libc.ts';

const afNetlink = 16;
const sockRaw = 3;
const sockCloexec = 0o2000000;
const netlinkNetfilter = 12;
const solSocket = 1;
const soSndbuf = 7;
const soRcvbuf = 8;
const soSndbufforce = 32;
const soRcvbufforce = 33;
const solNetlink = 270;
const netlinkNoEnobufs = 5;
const netlinkCapAck = 10;
const netlinkExtAck = 11;
const msgDontwait = 0x40;
const bufferSize = 256 * 1024 * 1024;

/** One socket, bound to the network namespace that the thread was in when it was opened. */
export class BatchSocket {
  readonly #fd: number;
  readonly #received = Buffer.alloc(1024 * 1024);
  #open = true;
  /** By which the kernel names this socket in notices. */
  readonly port: number;

  constructor() {
    const c = loadLibc();
    this.#fd = c.socket(afNetlink, sockRaw | sockCloexec, netlinkNetfilter);
    if (this.#fd < 0)
      throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot open a netfilter netlink socket: errno ${c.errno()}`, {
        hint: 'The kernel must be built with CONFIG_NETFILTER_NETLINK and CONFIG_NF_TABLES',
      });
    for (const [force, plain] of [
      [soSndbufforce, soSndbuf],
      [soRcvbufforce, soRcvbuf],
    ] as const)
      if (c.setsockopt(this.#fd, solSocket, force, i32(bufferSize), 4) < 0) c.setsockopt(this.#fd, solSocket, plain, i32(bufferSize), 4);
    c.setsockopt(this.#fd, solNetlink, netlinkNoEnobufs, i32(1), 4);
    // Errors then carry the message of the kernel, and not the whole request.
    c.setsockopt(this.#fd, solNetlink, netlinkExtAck, i32(1), 4);
    c.setsockopt(this.#fd, solNetlink, netlinkCapAck, i32(1), 4);
    const address = Buffer.alloc(12);
    address.writeUInt16LE(afNetlink, 0);
    if (c.bind(this.#fd, address, 12) < 0) {
      const errno = c.errno();
      closeSync(this.#fd);
      throw new KnownError('KERNEL_REFUSED', `Cannot bind a netfilter netlink socket: errno ${errno}`);
    }
    c.getsockname(this.#fd, address, i32(address.length));
    this.port = address.readUInt32LE(4);
  }

  /** Sends one datagram, off the main thread: the kernel works through a batch before the call returns. */
  async send(bytes: Uint8Array): Promise<void> {
    const sent = await loadLibc().sendAside(this.#fd, bytes);
    if (sent === bytes.length) return;
    throw new KnownError('KERNEL_REFUSED', `Cannot send ${bytes.length} bytes to the packet filter: the kernel refused them`, {
      hint: 'Changing the packet filter takes CAP_NET_ADMIN in the network namespace',
    });
  }

  /** Takes what the kernel has answered so far; undefined when there is nothing. Valid until the next call. */
  receive(): Uint8Array | undefined {
    const length = loadLibc().recv(this.#fd, this.#received, this.#received.length, msgDontwait);
    return length > 0 ? this.#received.subarray(0, length) : undefined;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
