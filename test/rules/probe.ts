/**
 * One connection from inside a namespace. By FFI, because a socket of Node.js is made when it connects, long after this
 * thread has left the namespace; a socket made here keeps it.
 */
import { promisify } from 'node:util';
import koffi from 'koffi';
import { ipToBytes } from '../../src/ip/ip.ts';
import { inNetns } from '../../src/linux/netns.ts';

export type ProbeResult =
  | { readonly kind: 'answered'; readonly by: string; readonly client: string }
  | { readonly kind: 'refused' | 'silent' };

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const connect = libc.func('int connect(int, const void *, uint32)');
const send = libc.func('int64 send(int, const void *, size_t, int)');
const recv = libc.func('int64 recv(int, void *, size_t, int)');
const poll = libc.func('int poll(void *, uint64, int)');
const getsockopt = libc.func('int getsockopt(int, int, int, void *, void *)');
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, uint32)');
const close = libc.func('int close(int)');
const pollAsync = promisify(poll.async) as (fds: Buffer, n: number, timeout: number) => Promise<number>;

const [inet, inet6] = [2, 10];
const stream = 1;
const datagram = 2;
const nonblock = 0o4000;
const [tcp, quickAck] = [6, 12];
const [socketLevel, linger] = [1, 13];
const connectionRefused = 111;
const inProgress = 115;
const pollIn = 1;
const pollOut = 4;

async function ready(fd: number, events: number, timeoutMs: number): Promise<boolean> {
  const fds = Buffer.alloc(8);
  fds.writeInt32LE(fd, 0);
  fds.writeInt16LE(events, 4);
  return (await pollAsync(fds, 1, timeoutMs)) > 0;
}

function errorOf(fd: number): number {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeInt32LE(4);
  getsockopt(fd, 1, 4, value, length);
  return value.readInt32LE();
}

/** `sockaddr_in`, or `sockaddr_in6`. */
function addressOf(to: string, port: number): Buffer {
  const bytes = ipToBytes(to);
  const [family, length, at] = bytes.length === 4 ? [inet, 16, 4] : [inet6, 28, 8];
  const address = Buffer.alloc(length);
  address.writeUInt16LE(family, 0);
  address.writeUInt16BE(port, 2);
  address.set(bytes, at);
  return address;
}

/** A connection, or a UDP socket with one source port, that stays open. */
export class Connection implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens one; gives why not otherwise. */
  static async open(
    namespace: string,
    to: string,
    port: number,
    protocol: string,
    timeoutMs: number,
  ): Promise<Connection | 'refused' | 'silent'> {
    const address = addressOf(to, port);
    const fd = inNetns(namespace, () => socket(address.readUInt16LE(0), (protocol === 'udp' ? datagram : stream) | nonblock, 0) as number);
    const begun = connect(fd, address, address.length) as number;
    let errno = begun < 0 ? koffi.errno() : 0;
    if (errno === inProgress) errno = (await ready(fd, pollOut, timeoutMs)) ? errorOf(fd) : -1;
    if (errno === 0) return new Connection(fd);
    close(fd);
    return errno === connectionRefused ? 'refused' : 'silent';
  }

  send(text: string): void {
    send(this.#fd, Buffer.from(text), text.length, 0);
  }

  async receive(timeoutMs: number): Promise<string | 'refused' | 'silent'> {
    if (!(await ready(this.#fd, pollIn, timeoutMs))) return 'silent';
    const answer = Buffer.alloc(256);
    const length = recv(this.#fd, answer, answer.length, 0) as number;
    if (length < 0) return koffi.errno() === connectionRefused ? 'refused' : 'silent';
    // Acknowledges at once. A server that waits for it sends again, and without NAT rules that packet would end the connection by a reset.
    setsockopt(this.#fd, tcp, quickAck, Buffer.from([1, 0, 0, 0]), 4);
    return answer.toString('utf8', 0, length);
  }

  async exchange(text: string, timeoutMs: number): Promise<string | 'refused' | 'silent'> {
    this.send(text);
    return this.receive(timeoutMs);
  }

  /** Without a last exchange: nothing of it comes later, among packets of another test. */
  reset(): void {
    setsockopt(this.#fd, socketLevel, linger, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 8);
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}

/** Connects, and reads the one line that every pod answers with. */
export async function probe(namespace: string, to: string, port: number, protocol: string, timeoutMs: number): Promise<ProbeResult> {
  const opened = await Connection.open(namespace, to, port, protocol, timeoutMs);
  if (typeof opened === 'string') return { kind: opened };
  using connection = opened;
  connection.reset();
  const answer = protocol === 'udp' ? await connection.exchange('hello', timeoutMs) : await connection.receive(timeoutMs);
  if (answer === 'refused' || answer === 'silent') return { kind: answer };
  const [by = '', client = ''] = answer.split(' ');
  return { kind: 'answered', by, client };
}
