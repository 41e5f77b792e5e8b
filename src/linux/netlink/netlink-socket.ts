/**
 * One netlink socket: requests in batches with one answer each, dumps, and notices. A batch is one buffer that the
 * kernel works through in order within a single system call; a message that is refused does not stop the ones after it.
 *
 * The socket belongs to the network namespace in which it was opened and stays there: `inNetns` of `../netns.ts` opens one elsewhere.
 */
import { MessageWriter } from './attribute.ts';
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
  readRefusal,
  writeMessage,
} from './message.ts';
import { errnoName, NetlinkError } from './netlink-error.ts';
import { AsideWire, LoopWire, type Sending, type Wire, type WireOptions } from './wire.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export interface NetlinkSocketOptions {
  /**
   * Send and read beside the event loop: for requests that keep the kernel busy. `if-long`: short ones on it, in a process where nobody else would be held
   * up by a kernel that has others to serve first. Such a socket cannot `subscribe`.
   */
  readonly aside?: boolean | 'if-long';
  /** Bytes that may wait unread; default 8 MB. The kernel takes memory only for what does wait. */
  readonly room?: number;
}

interface Answer {
  readonly error: NetlinkError | undefined;
  readonly messages: readonly NetlinkMessage[];
  readonly interrupted: boolean;
}

interface Waiting {
  readonly doing: string;
  /** Takes messages as they come. */
  readonly take: (message: NetlinkMessage) => void;
  interrupted: boolean;
  done(error: NetlinkError | undefined): void;
}

/** Messages between two markers: the kernel takes all of them or none (net/netfilter/nfnetlink.c). */
export interface EncodedBatch {
  /** Only the last message before the second marker asks for an answer: it comes after those about messages that were refused. */
  readonly bytes: Uint8Array;
  /** The kernel is long at it, however short it is. */
  readonly isLong: boolean;
  /** How many there are, without the markers. Each has the sequence number after that of the one before. */
  readonly messages: number;
}

interface Prepared {
  readonly seq: number;
  readonly bytes: Buffer;
  readonly answer: Promise<Answer>;
}

const dumpAttempts = 20;
/** Requests in one buffer: their answers all come before one of them is read. */
const batchSize = 64;
/** Requests in one buffer of a stream. */
export const streamSize = 1024;
/** Bytes that most of these need. */
const roomOfRequest = 128;
const defaultRoom = 8 << 20;
/**
 * What is shorter keeps the kernel busy for less time than another thread takes to wake up: some dozens of changed elements. A batch that takes away a whole table
 * or set says that it `isLong`.
 */
const longBytes = 4096;
/** Sequence numbers have 32 bits, and a batch takes many. */
const wrapSeqAt = 0xf0000000;

export class NetlinkSocket implements Disposable {
  readonly #wire: Wire;
  readonly #waiting = new Map<number, Waiting>();
  #seq = 1;
  /** The kernel runs one dump per socket at a time (EBUSY otherwise). */
  #dumps: Promise<unknown> = Promise.resolve();
  #onNotice: ((message: NetlinkMessage | 'lost') => void) | undefined;
  #drops = 0;
  #isLookingForDrops = false;
  #isClosed = false;

  constructor(protocol: number, { aside = false, room = defaultRoom }: NetlinkSocketOptions = {}) {
    const options: WireOptions = {
      protocol,
      room,
      onDatagram: (bytes, isNotice) => this.#receive(bytes, isNotice),
      onBroken: () => this.#lose(),
    };
    this.#wire = aside ? new AsideWire(options, aside === 'if-long' ? longBytes : 0) : new LoopWire(options);
  }

  /** By which the kernel names this socket in notices about what it changed. */
  get port(): number {
    return this.#wire.port;
  }

  /** Sends requests, up to 64 as one buffer. One element per request: undefined when the kernel agreed. `doing` completes "Cannot …". */
  async batch(requests: readonly NetlinkRequest[], doing: string): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += batchSize) {
      const prepared = requests.slice(at, at + batchSize).map((request) => this.#prepare(request, NLM_F_REQUEST | NLM_F_ACK, doing));
      this.#send(prepared, doing, false);
      for (const { error } of await Promise.all(prepared.map((p) => p.answer))) errors.push(error);
    }
    return errors;
  }

  /**
   * Sends many requests as few buffers. Only the last of a buffer asks for an answer, which comes after those about requests that were refused:
   * thousands of changes take a handful of system calls. One element per request, as of `batch`. Only beside the event loop, where no notice
   * can take the room of a refusal.
   */
  async stream(requests: readonly NetlinkRequest[], doing: string): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += streamSize)
      errors.push(...(await this.#streamed(requests.slice(at, at + streamSize), doing)));
    return errors;
  }

  async #streamed(requests: readonly NetlinkRequest[], doing: string): Promise<(NetlinkError | undefined)[]> {
    if (this.#seq > wrapSeqAt) this.#seq = 1;
    const first = this.#seq;
    const last = first + requests.length - 1;
    this.#seq = last + 1;
    const errors: (NetlinkError | undefined)[] = requests.map(() => undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    // One buffer and one promise for all: there may be tens of thousands of them.
    const out = new MessageWriter(requests.length * roomOfRequest);
    for (const [i, request] of requests.entries()) {
      const seq = first + i;
      writeMessage(out, request, seq, NLM_F_REQUEST | (seq === last ? NLM_F_ACK : 0));
      const done = (error: NetlinkError | undefined): void => {
        errors[i] = error;
        if (seq === last) resolve();
      };
      this.#waiting.set(seq, { doing, take: () => {}, interrupted: false, done });
    }
    const isAnswered = (): boolean => !this.#waiting.has(last);
    this.#transmit(
      { bytes: out.bytes(), isDump: false, isAnswered },
      requests.map((_, i) => first + i),
      doing,
    );
    await promise;
    // The kernel works in order: whoever has not been refused by now was agreed to.
    for (let seq = first; seq <= last; seq++) this.#waiting.delete(seq);
    return errors;
  }

  /** Sends requests as `batch` does and throws the first refusal. */
  async must(requests: readonly NetlinkRequest[], doing: string): Promise<void> {
    const error = (await this.batch(requests, doing)).find((e) => e !== undefined);
    if (error) throw error;
  }

  /** One request that answers with messages (a GET of one object). Throws NetlinkError. */
  async get(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const prepared = this.#prepare(request, NLM_F_REQUEST | NLM_F_ACK, doing);
    this.#send([prepared], doing, false);
    const { error, messages } = await prepared.answer;
    if (error) throw error;
    return messages;
  }

  /**
   * Sends a batch as one buffer. Gives the refusals by sequence number, in the order in which the kernel found them; none means
   * that all of it holds.
   */
  async transact<B extends EncodedBatch>(
    encode: (firstSeq: number) => B,
    doing: string,
  ): Promise<{ readonly batch: B; readonly refusals: ReadonlyMap<number, NetlinkError> }> {
    if (this.#seq > wrapSeqAt) this.#seq = 1;
    const firstSeq = this.#seq;
    const batch = encode(firstSeq);
    const lastSeq = firstSeq + batch.messages;
    this.#seq = lastSeq + 2;
    const refusals = new Map<number, NetlinkError>();
    const { promise, resolve } = Promise.withResolvers<void>();
    let isAnswered = false;
    for (let seq = firstSeq; seq <= lastSeq; seq++) {
      const done = (error: NetlinkError | undefined): void => {
        if (error) refusals.set(seq, error);
        // A refusal of the batch as a whole names its beginning, and may be all that comes.
        if (seq !== lastSeq && (seq !== firstSeq || !error)) return;
        isAnswered = true;
        resolve();
      };
      this.#waiting.set(seq, { doing, take: () => {}, interrupted: false, done });
    }
    this.#transmit({ bytes: batch.bytes, isLong: batch.isLong, isDump: false, isAnswered: () => isAnswered }, [firstSeq], doing);
    await promise;
    for (let seq = firstSeq; seq <= lastSeq; seq++) this.#waiting.delete(seq);
    return { batch, refusals };
  }

  /** All objects of a kind. A dump that changed while it ran is taken again. Throws NetlinkError. */
  dump(request: NetlinkRequest, doing: string): Promise<readonly NetlinkMessage[]> {
    const run = this.#dumps.then(async () => {
      for (let attempt = 1; ; attempt++) {
        const prepared = this.#prepare(request, NLM_F_REQUEST | NLM_F_DUMP, doing);
        this.#send([prepared], doing, true);
        const { error, messages, interrupted } = await prepared.answer;
        if (error) throw error;
        if (!interrupted) return messages;
        if (attempt === dumpAttempts) throw new NetlinkError('EINTR', `${doing}, which kept changing during ${attempt} attempts`);
      }
    });
    this.#dumps = run.catch(() => {});
    return run;
  }

  /**
   * Tells all objects of a kind as they come and keeps none. A dump that changed while it ran is not taken again: some may have been told twice, or
   * not. Throws NetlinkError.
   */
  dumpEach(request: NetlinkRequest, doing: string, take: (message: NetlinkMessage) => void): Promise<void> {
    const run = this.#dumps.then(async () => {
      const prepared = this.#prepare(request, NLM_F_REQUEST | NLM_F_DUMP, doing, take);
      this.#send([prepared], doing, true);
      const { error } = await prepared.answer;
      if (error) throw error;
    });
    this.#dumps = run.catch(() => {});
    return run;
  }

  /**
   * Joins multicast groups (RTNLGRP_*). `lost` means that the kernel had no room for a notice or more: whoever listens must look at
   * everything again. A request that is under way then fails with ENOBUFS, as its answer may be lost, too.
   */
  subscribe(groups: readonly number[], onNotice: (message: NetlinkMessage | 'lost') => void): void {
    this.#onNotice = onNotice;
    for (const group of groups) this.#wire.join(group);
  }

  /** Notices about what the socket of this port changes do not come from now on: nothing of them is read or copied. */
  ignore(port: number): void {
    this.#wire.ignore(port);
  }

  /** Lets the process end while the socket is open. */
  unref(): void {
    this.#wire.unref();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wire.close();
    for (const seq of [...this.#waiting.keys()]) this.#finish(seq, 'ESHUTDOWN');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(request: NetlinkRequest, flags: number, doing: string, take?: (message: NetlinkMessage) => void): Prepared {
    if (this.#seq > wrapSeqAt) this.#seq = 1;
    const seq = this.#seq++;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const messages: NetlinkMessage[] = [];
    const waiting: Waiting = {
      doing,
      take: take ?? ((message) => void messages.push(message)),
      interrupted: false,
      done: (error) => resolve({ error, messages, interrupted: waiting.interrupted }),
    };
    this.#waiting.set(seq, waiting);
    return { seq, bytes: encodeMessage(request, seq, flags), answer: promise };
  }

  #send(prepared: readonly Prepared[], doing: string, isDump: boolean): void {
    const bytes = Buffer.concat(prepared.map((p) => p.bytes));
    const isAnswered = (): boolean => !prepared.some(({ seq }) => this.#waiting.has(seq));
    this.#transmit(
      { bytes, isDump, isAnswered },
      prepared.map((p) => p.seq),
      doing,
    );
  }

  /** When it cannot be sent, `seqs` fail. */
  #transmit(sending: Sending, seqs: readonly number[], doing: string): void {
    const fail = (errno: string): void => {
      for (const seq of seqs) this.#finish(seq, errno);
    };
    if (this.#isClosed) fail('ESHUTDOWN');
    else this.#wire.send(sending, doing).catch((err: unknown) => fail(err instanceof NetlinkError ? err.errno : 'EIO'));
  }

  #receive(bytes: Buffer, isNotice: boolean): void {
    for (const message of decodeMessages(bytes)) {
      if (isNotice) {
        this.#onNotice?.(message);
        continue;
      }
      const waiting = this.#waiting.get(message.seq);
      if (!waiting) continue;
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) waiting.interrupted = true;
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
        const { errno, said } = readRefusal(message);
        this.#finish(message.seq, errno === 0 ? undefined : errnoName(errno), said);
      } else {
        waiting.take(message);
      }
    }
    this.#lookForDrops();
  }

  /** A datagram is dropped while others wait, so there is none whose loss is not seen after reading one. */
  #lookForDrops(): void {
    if (this.#isLookingForDrops) return;
    this.#isLookingForDrops = true;
    setImmediate(() => {
      this.#isLookingForDrops = false;
      if (this.#isClosed) return;
      const drops = this.#wire.drops();
      if (drops === this.#drops) return;
      this.#drops = drops;
      this.#lose();
    });
  }

  #lose(): void {
    if (this.#isClosed) return;
    for (const seq of [...this.#waiting.keys()]) this.#finish(seq, 'ENOBUFS');
    this.#onNotice?.('lost');
  }

  #finish(seq: number, errno: string | undefined, said?: string): void {
    const waiting = this.#waiting.get(seq);
    if (!waiting) return;
    this.#waiting.delete(seq);
    waiting.done(errno === undefined ? undefined : new NetlinkError(errno, waiting.doing, said));
  }
}
