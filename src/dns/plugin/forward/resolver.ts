/**
 * One resolver elsewhere. Each question goes out under an id of our own from a socket that is replaced often and takes datagrams of that
 * resolver only, so that nobody who cannot see a question can answer it (RFC 5452).
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../../../clock/clock.ts';
import { familyOf } from '../../../ip/ip.ts';
import { lowerCase } from '../../message/names.ts';
import { encodeQuery } from '../../message/query.ts';
import type { RawReply } from '../../message/reply.ts';
import { readResolverReply } from '../../message/resolver-reply.ts';
import { askTcp } from './tcp.ts';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

const defaultTimeoutMs = 2_000;
const checkTimeoutMs = 1_000;
const socketLifeMs = 10_000;
const header = 12;
/** In the life of one socket. A resolver's own late answers are far fewer; of 65,536 ids, one in a thousand is guessed by then. */
const maxStrangers = 64;

interface Waiting {
  /** In lower case, as it went out. */
  readonly question: Buffer;
  resolve(bytes: Buffer): void;
  reject(err: Error): void;
}

interface Channel {
  readonly socket: Socket;
  readonly waiting: Map<number, Waiting>;
  readonly bornAt: number;
  /** Datagrams that answer nothing: too many are somebody who guesses. */
  strangers: number;
  /** Messages from before the socket was connected. */
  unsent: Buffer[] | undefined;
}

export class Resolver {
  /** `10.0.0.2#53`, as libc's tools write it. */
  readonly name: string;
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  readonly #expireMs: number;
  readonly #channels = new Set<Channel>();
  #current: Channel | undefined;

  /** `expireMs`: how long a socket is used for new questions. */
  constructor(upstream: Upstream, clock: Clock, expireMs: number = socketLifeMs) {
    this.name = `${upstream.address}#${upstream.port}`;
    this.#upstream = upstream;
    this.#clock = clock;
    this.#expireMs = expireMs;
  }

  /** `message` is a whole query whose id is replaced. Rejects when nothing usable came in two seconds. */
  async ask(message: Buffer, questionEnd: number): Promise<RawReply> {
    const question = lowerCase(message.subarray(header, questionEnd));
    const bytes = await this.#askUdp(message, question, defaultTimeoutMs);
    // Some refuse without repeating the question.
    if (bytes.length === header) throw new Error(`refused with code ${(bytes[3] ?? 0) & 15}`);
    const reply = readResolverReply(bytes, questionEnd);
    if (!reply) throw new Error('the answer is malformed');
    if (((bytes[2] ?? 0) & 0x02) === 0) return reply;
    // Half an answer is better than none when TCP does not work.
    const whole = await askTcp(this.#upstream, message, defaultTimeoutMs, this.#clock).catch(() => undefined);
    const fits = whole && isAnswerTo(whole, question) && whole.readUInt16BE(0) === message.readUInt16BE(0);
    return (fits ? readResolverReply(whole, questionEnd) : undefined) ?? reply;
  }

  /** Asks for the root's name servers, as CoreDNS does: whatever comes back, somebody is there. Rejects when nothing came in a second. */
  async check(): Promise<void> {
    const message = encodeQuery('', 'NS');
    await this.#askUdp(message, message.subarray(header), checkTimeoutMs);
  }

  #askUdp(message: Buffer, question: Buffer, timeoutMs: number): Promise<Buffer> {
    const channel = this.#fresh();
    let id = randomInt(65536);
    while (channel.waiting.has(id)) id = randomInt(65536);
    message.writeUInt16BE(id, 0);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const timer = this.#clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs / 1000} s`)));
    channel.waiting.set(id, { question, resolve, reject });
    if (channel.unsent) channel.unsent.push(message);
    else this.#send(channel, message);
    return promise.finally(() => {
      channel.waiting.delete(id);
      timer.cancel();
      if (channel !== this.#current && channel.waiting.size === 0) this.#drop(channel);
    });
  }

  #send(channel: Channel, message: Buffer): void {
    channel.socket.send(message, (err) => {
      // The kernel gives what became of an earlier datagram to the next one: the trouble is the socket's, not this message's.
      if (err) this.#fail(channel, err);
    });
  }

  #fresh(): Channel {
    const now = this.#clock.monotonic();
    if (this.#current && now - this.#current.bornAt < this.#expireMs) return this.#current;
    const before = this.#current;
    const socket = createSocket(familyOf(this.#upstream.address) === 6 ? 'udp6' : 'udp4');
    const channel: Channel = { socket, waiting: new Map(), bornAt: now, strangers: 0, unsent: [] };
    this.#current = channel;
    this.#channels.add(channel);
    if (before?.waiting.size === 0) this.#drop(before);
    socket.on('message', (bytes) => {
      const found = bytes.length >= header ? channel.waiting.get(bytes.readUInt16BE(0)) : undefined;
      const isBareRefusal = bytes.length === header && ((bytes[3] ?? 0) & 15) !== 0;
      if (found && (isBareRefusal || isAnswerTo(bytes, found.question))) found.resolve(bytes);
      // Somebody guesses ids: what is under way goes out again, from another port, with another id (unbound's unwanted-reply-threshold).
      else if (++channel.strangers === maxStrangers) this.#fail(channel, new Error('too many answers that nobody asked for'));
    });
    // A connected socket hears that nobody listens there: no need to wait for the timeout.
    socket.on('error', (err) => this.#fail(channel, err));
    socket.unref();
    socket.connect(this.#upstream.port, this.#upstream.address, (err?: Error) => {
      // No route, or an interface that is gone: node tells it here, not by 'error'.
      if (err) return this.#fail(channel, err);
      const unsent = channel.unsent ?? [];
      channel.unsent = undefined;
      for (const message of unsent) this.#send(channel, message);
    });
    return channel;
  }

  #fail(channel: Channel, err: Error): void {
    if (channel === this.#current) this.#current = undefined;
    for (const waiting of channel.waiting.values()) waiting.reject(err);
    this.#drop(channel);
  }

  #drop(channel: Channel): void {
    if (this.#channels.delete(channel)) channel.socket.close();
  }

  close(): void {
    for (const channel of this.#channels) this.#fail(channel, new Error('stopping'));
  }
}

/** A reply that repeats the question, in whatever case. */
function isAnswerTo(bytes: Buffer, question: Buffer): boolean {
  const end = header + question.length;
  return bytes.length >= end && ((bytes[2] ?? 0) & 0x80) !== 0 && lowerCase(bytes.subarray(header, end)).equals(question);
}
