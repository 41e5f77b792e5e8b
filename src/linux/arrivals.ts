/**
 * Counts what begins at an address and port of the node, whether somebody listens there or nobody: SYNs of TCP, and datagrams of UDP. A raw socket gets a copy of
 * what the kernel takes in for its address (raw(7)); a filter lets only these pass, one byte of each. They wait in the kernel until somebody looks.
 */
import { closeSync } from 'node:fs';
import { KnownError } from '../errors/known-error.ts';
import { familyOf } from '../ip/ip.ts';
import { i32, loadLibc } from './libc.ts';
import { errnoName } from './netlink/netlink-error.ts';
import { addressFamilyOf, socketAddress } from './socket-address.ts';
import { bpf, encodeFilter, type Instruction } from './socket-filter.ts';

const SOCK_RAW_NONBLOCK_CLOEXEC = 0o2004003;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;
const protocols = { tcp: 6, udp: 17 } as const;
const [syn, ack] = [0x02, 0x10];
/** For some thousand between two looks; the kernel takes memory only for what does wait. */
const room = 4 << 20;

/** Of IPv4 a raw socket gets the header, too; of IPv6 it does not. */
function filterOf(protocol: 'tcp' | 'udp', family: 4 | 6, port: number): Instruction[] {
  const atTransport: Instruction = family === 4 ? [bpf.indexIsHeader, 0, 0, 0] : [bpf.indexIs, 0, 0, 0];
  const pass: Instruction[] = [
    [bpf.give, 0, 0, 1],
    [bpf.give, 0, 0, 0],
  ];
  const begins: Instruction[] = [
    [bpf.loadByteBehind, 0, 0, 13],
    [bpf.and, 0, 0, syn | ack],
    [bpf.jumpIfEqual, 0, 1, syn],
  ];
  const isPort = (otherwise: number): Instruction[] => [
    [bpf.loadHalfBehind, 0, 0, 2],
    [bpf.jumpIfEqual, 0, otherwise, port],
  ];
  return protocol === 'tcp' ? [atTransport, ...isPort(4), ...begins, ...pass] : [atTransport, ...isPort(1), ...pass];
}

export class Arrivals implements Disposable {
  readonly #fd: number;
  readonly #byte = Buffer.alloc(1);
  #isClosed = false;

  /** At an address that the node has, or at all of them (`0.0.0.0`, `::`), in the network namespace of the calling thread. Throws KERNEL_REFUSED. */
  constructor(protocol: 'tcp' | 'udp', { ip, port }: { readonly ip: string; readonly port: number }) {
    const libc = loadLibc();
    const refused = (): KnownError =>
      new KnownError('KERNEL_REFUSED', `Cannot count what comes to ${ip} port ${port}/${protocol}: ${errnoName(libc.errno())}`, {
        hint: 'It needs CAP_NET_RAW',
      });
    this.#fd = libc.socket(addressFamilyOf(ip), SOCK_RAW_NONBLOCK_CLOEXEC, protocols[protocol]);
    if (this.#fd < 0) throw refused();
    const address = socketAddress(ip, 0);
    const isSet =
      libc.attachFilter(this.#fd, encodeFilter(filterOf(protocol, familyOf(ip), port))) === 0 &&
      libc.bind(this.#fd, address, address.length) === 0;
    if (!isSet) {
      const err = refused();
      this.close();
      throw err;
    }
    libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, i32(room), 4);
    // Before the filter was in place anything could come.
    this.take();
  }

  /** How many there were since the last call. */
  take(): number {
    let count = 0;
    while (!this.#isClosed && loadLibc().recv(this.#fd, this.#byte, 1, MSG_DONTWAIT) > 0) count++;
    return count;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
