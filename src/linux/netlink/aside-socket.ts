/**
 * Routing requests that run beside the event loop. Changing links waits for the kernel's RTNL lock and for RCU grace periods:
 * deleting one veth takes 10 to 30 ms inside send(2), in which a process that also answers DNS must not stand still.
 *
 * One request at a time in the whole process: the kernel lets only one in anyway, and waiting there would take up the pool.
 */
import { closeSync } from 'node:fs';
import { loadLibc } from '../libc.ts';
import { inNetns } from '../netns.ts';
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from './message.ts';
import { errnoName, NetlinkError } from './netlink-error.ts';
import { NETLINK_ROUTE } from './netlink-socket.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
/** Answers to more would not fit into the receive buffer. */
const BATCH = 64;

let turn: Promise<unknown> = Promise.resolve();

interface Answer {
  readonly error: NetlinkError | undefined;
  readonly messages: readonly NetlinkMessage[];
}

export class AsideSocket implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #seq = 0;
  #closed = false;

  /** A socket of this process's namespace. */
  constructor() {
    const libc = loadLibc();
    this.#fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (this.#fd < 0) throw new NetlinkError(errnoName(libc.errno()), 'open a routing socket');
  }

  /** A socket of the network namespace at `path`. Throws NAMESPACE_GONE. */
  static openIn(path: string): AsideSocket {
    return inNetns(path, () => new AsideSocket());
  }

  /** One element per request: undefined when the kernel agreed. A refusal does not stop the ones after it. */
  async batch(requests: readonly NetlinkRequest[], doing: string): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += BATCH) {
      for (const answer of await this.#run(requests.slice(at, at + BATCH), doing)) errors.push(answer.error);
    }
    return errors;
  }

  /** Throws the first refusal. */
  async must(requests: readonly NetlinkRequest[], doing: string): Promise<void> {
    const error = (await this.batch(requests, doing)).find((e) => e !== undefined);
    if (error) throw error;
  }

  /** One request that answers with messages. Throws NetlinkError. */
  async get(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const [answer] = await this.#run([request], doing);
    if (answer?.error) throw answer.error;
    return answer?.messages ?? [];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A request may be under way: its descriptor must not be used again by something else.
    turn = turn.then(() => closeSync(this.#fd)).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run(requests: readonly NetlinkRequest[], doing: string): Promise<readonly Answer[]> {
    const result = turn.then(() => this.#exchange(requests, doing));
    turn = result.catch(() => {});
    return result;
  }

  async #exchange(requests: readonly NetlinkRequest[], doing: string): Promise<readonly Answer[]> {
    const libc = loadLibc();
    const first = this.#seq + 1;
    const bytes = Buffer.concat(requests.map((request) => encodeMessage(request, ++this.#seq, NLM_F_REQUEST | NLM_F_ACK)));
    if (this.#closed || (await libc.sendAside(this.#fd, bytes)) < 0) throw new NetlinkError(this.#closed ? 'ESHUTDOWN' : 'EIO', doing);
    // The kernel has worked before send(2) came back: every answer is there.
    const errors = new Map<number, NetlinkError | undefined>();
    const messages = new Map<number, NetlinkMessage[]>();
    while (errors.size < requests.length) {
      const length = libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
      if (length <= 0) throw new NetlinkError(errnoName(libc.errno()), doing);
      for (const message of decodeMessages(Buffer.from(this.#buffer.subarray(0, length)))) {
        if (message.seq < first) continue;
        if (message.type === NLMSG_ERROR) {
          const errno = -message.data.readInt32LE(0);
          errors.set(message.seq, errno === 0 ? undefined : new NetlinkError(errnoName(errno), doing));
        } else {
          messages.set(message.seq, [...(messages.get(message.seq) ?? []), message]);
        }
      }
    }
    return requests.map((_, i) => ({ error: errors.get(first + i), messages: messages.get(first + i) ?? [] }));
  }
}
