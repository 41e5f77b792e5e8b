/**
 * One netlink socket: requests in batches with one answer each, dumps, and notifications. A batch is one buffer that the
 * kernel works through in order within a single system call; a message that is refused does not stop the ones after it.
 *
 * The socket belongs to the network namespace in which it was opened and stays there: `openIn` of `../netns.ts` opens one elsewhere.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { RawNetlinkSocket } from 'netlink';
import { i32, loadLibc } from '../libc.ts';
import { inNetns } from '../netns.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';
import {
  decodeMessages,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.ts';
import { errnoName, NetlinkError } from './netlink-error.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

interface Waiting {
  readonly doing: string;
  readonly messages: NetlinkMessage[];
  interrupted: boolean;
  done(error: NetlinkError | undefined): void;
}

const DUMP_ATTEMPTS = 5;
/** Answers to a longer buffer would not fit into the receive buffer: they all come before one of them is read. */
const BATCH = 64;

const AF_NETLINK = 16;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;

/** The package sets no more than net.core.rmem_max allows, and does not tell its descriptor: a socket is known by its port. */
function giveRoom(port: number, bytes: number): void {
  const libc = loadLibc();
  const address = Buffer.alloc(12);
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    const isKnown = libc.getsockname(fd, address, i32(address.length)) === 0;
    if (isKnown && address.readUInt16LE(0) === AF_NETLINK && address.readUInt32LE(4) === port)
      libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, i32(bytes), 4);
  }
}

/** A dump that the kernel says changed underneath; asked again. */
class DumpInterrupted extends Error {}

export class NetlinkSocket implements Disposable {
  readonly #protocol: number;
  readonly #room: number | undefined;
  /** The namespace's descriptor, to come back to it: what runs later may be somewhere else. */
  readonly #netns = openSync('/proc/thread-self/ns/net', 'r');
  #socket: RawNetlinkSocket;
  #groups: readonly number[] = [];
  #referenced = true;
  readonly #waiting = new Map<number, Waiting>();
  #seq = 1;
  /** The kernel runs one dump per socket at a time (EBUSY otherwise). */
  #dumps: Promise<unknown> = Promise.resolve();
  #onNotice: ((message: NetlinkMessage | 'lost') => void) | undefined;
  #closed = false;

  /** `room` is for so many bytes of notices that nobody has read yet; without it net.core.rmem_default, some 200 KB. */
  constructor(protocol: number, room?: number) {
    this.#protocol = protocol;
    this.#room = room;
    this.#socket = this.#open();
  }

  #open(): RawNetlinkSocket {
    const socket = new RawNetlinkSocket(this.#protocol);
    if (this.#room !== undefined) giveRoom(socket.address().port, this.#room);
    socket.on('message', (data) => this.#receive(data));
    socket.on('error', () => this.#overrun(socket));
    for (const group of this.#groups) socket.addMembership(group);
    if (!this.#referenced) socket.unref();
    return socket;
  }

  /**
   * ENOBUFS: the kernel had to drop something. The event loop takes such a socket for broken and closes it, so there is a new one.
   * Whoever listens must look at everything again, and no answer may be waited for.
   */
  #overrun(broken: RawNetlinkSocket): void {
    if (this.#closed || broken !== this.#socket) return;
    this.#socket = inNetns(`/proc/self/fd/${this.#netns}`, () => this.#open());
    for (const seq of [...this.#waiting.keys()]) this.#finish(seq, 'ENOBUFS');
    this.#onNotice?.('lost');
    broken.close();
  }

  /** Sends requests, up to 64 as one buffer. One element per request: undefined when the kernel agreed. `doing` completes "Cannot …". */
  async batch(requests: readonly NetlinkRequest[], doing: string): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += BATCH) {
      const answers = requests.slice(at, at + BATCH).map((request) => this.#prepare(request, NLM_F_REQUEST | NLM_F_ACK, doing));
      this.#send(
        Buffer.concat(answers.map((a) => a.bytes)),
        answers.map((a) => a.seq),
      );
      for (const waited of await Promise.all(answers.map((a) => a.answer))) errors.push(waited.error);
    }
    return errors;
  }

  /** Sends requests as one buffer and throws the first refusal. */
  async must(requests: readonly NetlinkRequest[], doing: string): Promise<void> {
    const error = (await this.batch(requests, doing)).find((e) => e !== undefined);
    if (error) throw error;
  }

  /** One request that answers with messages (a GET of one object). Throws NetlinkError. */
  async get(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const { bytes, seq, answer } = this.#prepare(request, NLM_F_REQUEST | NLM_F_ACK, doing);
    this.#send(bytes, [seq]);
    const { error, messages } = await answer;
    if (error) throw error;
    return messages;
  }

  /** All objects of a kind. A dump that changed while it ran is taken again. */
  dump(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const run = this.#dumps.then(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#dumpOnce(request, doing);
        } catch (err) {
          if (!(err instanceof DumpInterrupted) || attempt === DUMP_ATTEMPTS) throw err;
        }
      }
    });
    this.#dumps = run.catch(() => {});
    return run;
  }

  /** Joins multicast groups (RTNLGRP_*); `lost` means that the kernel had to drop notifications. */
  subscribe(groups: readonly number[], onNotice: (message: NetlinkMessage | 'lost') => void): void {
    this.#onNotice = onNotice;
    this.#groups = groups;
    for (const group of groups) this.#socket.addMembership(group);
  }

  /** Lets the process end while the socket is open. */
  unref(): void {
    this.#referenced = false;
    this.#socket.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    closeSync(this.#netns);
    for (const { done, doing } of this.#waiting.values()) done(new NetlinkError('ESHUTDOWN', doing));
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #dumpOnce(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const { bytes, seq, answer } = this.#prepare(request, NLM_F_REQUEST | NLM_F_DUMP, doing);
    this.#send(bytes, [seq]);
    const { error, messages, interrupted } = await answer;
    if (error) throw error;
    if (interrupted) throw new DumpInterrupted(`Cannot ${doing}: the kernel's tables keep changing`);
    return messages;
  }

  #prepare(
    request: NetlinkRequest,
    flags: number,
    doing: string,
  ): {
    bytes: Buffer;
    seq: number;
    answer: Promise<{ error: NetlinkError | undefined; messages: NetlinkMessage[]; interrupted: boolean }>;
  } {
    const seq = this.#seq;
    this.#seq = (this.#seq % 0xfffffffe) + 1;
    const { promise, resolve } = Promise.withResolvers<{
      error: NetlinkError | undefined;
      messages: NetlinkMessage[];
      interrupted: boolean;
    }>();
    const waiting: Waiting = {
      doing,
      messages: [],
      interrupted: false,
      done: (error) => resolve({ error, messages: waiting.messages, interrupted: waiting.interrupted }),
    };
    this.#waiting.set(seq, waiting);
    return { bytes: encodeMessage(request, seq, flags), seq, answer: promise };
  }

  #send(bytes: Buffer, seqs: readonly number[]): void {
    const failed = (errno: string): void => {
      for (const seq of seqs) this.#finish(seq, errno);
    };
    if (this.#closed) {
      failed('ESHUTDOWN');
      return;
    }
    if (seqs.length === 0) return;
    this.#socket.send(bytes, undefined, (err) => {
      if (err) failed(err.code);
    });
  }

  #receive(data: Buffer): void {
    for (const message of decodeMessages(data)) {
      const waiting = this.#waiting.get(message.seq);
      if (!waiting) {
        this.#onNotice?.(message);
        continue;
      }
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) waiting.interrupted = true;
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
        const errno = message.data.length >= 4 ? -message.data.readInt32LE(0) : 0;
        this.#finish(message.seq, errno === 0 ? undefined : errnoName(errno));
      } else {
        waiting.messages.push(message);
      }
    }
  }

  #finish(seq: number, errno: string | undefined): void {
    const waiting = this.#waiting.get(seq);
    if (!waiting) return;
    this.#waiting.delete(seq);
    waiting.done(errno === undefined ? undefined : new NetlinkError(errno, waiting.doing));
  }
}
