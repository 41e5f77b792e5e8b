/**
 * TCP connections that do nothing but begin, in the network namespace of this thread, by FFI: at loopback the kernel finishes the handshake within
 * connect(2), so that a loop of calls makes tens of thousands in a second.
 */
import { loadLibc, openLibc } from '../../../src/linux/libc.ts';
import { endpointPort } from './objects.ts';

const inet = 2;
const stream = 1;
const nonblock = 0o4000;
const [socketLevel, reuseAddress, linger] = [1, 2, 13];
/** Closing sends a reset: nothing is left that waits for its time to pass. */
const resetAtOnce = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
const backlog = 1024;

/** `sockaddr_in`. */
function socketAddress(ip: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(inet, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip.split('.').map(Number), 4);
  return bytes;
}

/** A socket that takes what comes to any address of the node, and clients. */
export class Connections implements Disposable {
  readonly #libc = loadLibc();
  readonly #connect = openLibc().lib.func('int connect(int fd, const void *address, uint32_t length)');
  readonly #accept = openLibc().lib.func('int accept4(int fd, void *address, void *length, int flags)');
  readonly #close = openLibc().lib.func('int close(int fd)');
  readonly #listener: number;
  readonly #own = Buffer.alloc(16);
  readonly #length = Buffer.from([16, 0, 0, 0]);

  constructor() {
    const fd = this.#libc.socket(inet, stream | nonblock, 0);
    this.#libc.setsockopt(fd, socketLevel, reuseAddress, Buffer.from([1, 0, 0, 0]), 4);
    this.#libc.setsockopt(fd, socketLevel, linger, resetAtOnce, resetAtOnce.length);
    const address = socketAddress('0.0.0.0', endpointPort);
    if (this.#libc.bind(fd, address, address.length) !== 0 || this.#libc.listen(fd, backlog) !== 0)
      throw new Error(`Cannot listen on port ${endpointPort}: errno ${this.#libc.errno()}`);
    this.#listener = fd;
  }

  /** The address at which a connection to a Service arrived; undefined when it arrived nowhere. */
  arrival(ip: string, port = 80): string | undefined {
    const address = socketAddress(ip, port);
    const client = this.#libc.socket(inet, stream | nonblock, 0);
    this.#libc.setsockopt(client, socketLevel, linger, resetAtOnce, resetAtOnce.length);
    this.#connect(client, address, address.length);
    let arrived: string | undefined;
    // More than one when the one before came late: the last is this one's.
    for (
      let fd = this.#accept(this.#listener, null, null, 0) as number;
      fd >= 0;
      fd = this.#accept(this.#listener, null, null, 0) as number
    ) {
      this.#libc.getsockname(fd, this.#own, this.#length);
      arrived = this.#own.subarray(4, 8).join('.');
      this.#close(fd);
    }
    this.#close(client);
    return arrived;
  }

  [Symbol.dispose](): void {
    this.#close(this.#listener);
  }
}
