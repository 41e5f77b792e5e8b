/** One client's connection: messages with their length in front (RFC 7766), answered as they are ready, in any order. */
import type { Socket } from 'node:net';
import type { Clock } from '../../clock/clock.ts';

export interface TcpConnectionOptions {
  readonly socket: Socket;
  /** As Responder.respond: bytes now or later, or silence. */
  readonly respond: (message: Buffer) => Buffer | Promise<Buffer> | undefined;
  /** A whole question came. */
  readonly onQuestion: () => void;
  readonly clock: Clock;
}

const lengthBytes = 2;
/** Since the last whole question, or its answer: single bytes keep nothing open. RFC 7766 §6.2.3; CoreDNS has the same. */
const idleMs = 10_000;
/** Beyond these nothing more is read, until some are answered. */
const maxWaiting = 100;
/** Bytes that the client has not taken yet: no more is read until it does. */
const maxUnread = 256 * 1024;

/** A message with its length in front, as one piece (RFC 7766 §8). */
export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message]);
}

export class TcpConnection {
  readonly #options: TcpConnectionOptions;
  #pending: Buffer = Buffer.alloc(0);
  #waiting = 0;
  #hasEnded = false;
  #isFinishing = false;
  #activeAt: number;
  #timer: { cancel(): void } | undefined;

  constructor(options: TcpConnectionOptions) {
    this.#options = options;
    const { socket, clock } = options;
    this.#activeAt = clock.monotonic();
    this.#watch(idleMs);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#timer?.cancel());
    socket.on('data', (chunk: Buffer) => {
      if (this.#isFinishing) return;
      this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
      this.#read();
    });
    // A client may end its side and still wait for the answer.
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#read();
    });
    socket.on('drain', () => this.#read());
  }

  /** Nothing that was asked is unanswered. */
  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** Reads no more questions, answers what was asked, and ends. */
  finish(): void {
    this.#isFinishing = true;
    this.#hasEnded = true;
    this.#read();
    // What is left unread would make the kernel reset the connection, and take answers along that are on their way.
    this.#options.socket.resume();
  }

  destroy(): void {
    this.#options.socket.destroy();
  }

  /** Answers what has come as whole messages. A client that takes no answers, or waits for many, is read no further. */
  #read(): void {
    const { socket } = this.#options;
    for (let size = this.#nextSize; size !== undefined && !socket.destroyed; size = this.#nextSize) {
      if (this.#isBusy) {
        if (!this.#isFinishing) socket.pause();
        return;
      }
      const message = this.#pending.subarray(lengthBytes, size);
      this.#pending = this.#pending.subarray(size);
      this.#answer(message);
    }
    if (socket.destroyed) return;
    if (!this.#hasEnded) socket.resume();
    else if (this.#waiting === 0) socket.end();
  }

  /** Of the next message with its length in front; undefined while it is not whole. */
  get #nextSize(): number | undefined {
    if (this.#pending.length < lengthBytes) return undefined;
    const size = lengthBytes + this.#pending.readUInt16BE(0);
    return this.#pending.length < size ? undefined : size;
  }

  get #isBusy(): boolean {
    return this.#waiting >= maxWaiting || this.#options.socket.writableLength > maxUnread;
  }

  #answer(message: Buffer): void {
    const { respond, onQuestion, clock } = this.#options;
    this.#activeAt = clock.monotonic();
    onQuestion();
    const reply = respond(message);
    if (reply instanceof Promise) this.#await(reply);
    else if (reply) this.#send(reply);
  }

  #await(reply: Promise<Buffer>): void {
    this.#waiting++;
    void reply.then((bytes) => {
      this.#waiting--;
      this.#activeAt = this.#options.clock.monotonic();
      this.#send(bytes);
      this.#read();
    });
  }

  #send(bytes: Buffer): void {
    const { socket } = this.#options;
    if (socket.destroyed) return;
    socket.write(framed(bytes));
  }

  /** Ends a connection on which nothing is asked, nor answered, for long. */
  #watch(ms: number): void {
    const { clock } = this.#options;
    this.#timer = clock.after(ms, () => {
      const left = this.#activeAt + idleMs - clock.monotonic();
      if (this.isIdle && left <= 0) this.destroy();
      else this.#watch(Math.max(left, 1_000));
    });
  }
}
