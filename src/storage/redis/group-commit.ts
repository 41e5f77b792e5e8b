/**
 * Sends the calls of one session in batches, and answers each when replicas have it. That needs no second round trip: behind the calls stands a fence, which
 * asks how the primary stands, waits for the replicas, and asks again. One batch is under way at a time, since a fence that waits blocks its connection;
 * what comes meanwhile shares the next one, and so does what the last one could not confirm. Reads that were made on another connection join in, too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { shortfall, standingOf } from './in-sync.ts';
import { keys } from './library.ts';
import { Unconfirmed } from './redis-error.ts';

/** What a command may be given. */
export type Argument = string | Buffer | number;
type Words = readonly [command: string, ...args: Argument[]];
type Result = readonly [err: Error | null, reply: unknown];

/** Calls that are sent at once. */
const batchCalls = 256;
/** How long a fence waits, at most: a replica that the primary has dropped meanwhile is waited for in vain. */
const fenceMs = 200;

interface Call {
  /** None: the replicas shall have what was answered before, on whatever connection. */
  readonly words: Words | undefined;
  readonly deadline: number;
  resolve(reply: unknown): void;
  reject(err: unknown): void;
}

interface Options {
  /** How many replicas must have it at least; with none nobody is waited for. */
  readonly waitReplicas: number;
  /** How long a call is held back for them. */
  readonly confirmMs: number;
  /** Whether another primary is about to take the place of this one. Nothing is answered then: replicas that say that they have it may be about to forget it. */
  isReplaced(): boolean;
}

export class GroupCommit {
  readonly #client: Redis;
  readonly #options: Options;
  /** How many replicas are expected to confirm: as many as were in step the last time. */
  #expected: number;
  #outbox: Call[] = [];
  /** Carried out, but not confirmed. */
  #held: { readonly call: Call; readonly reply: unknown }[] = [];
  #running = false;
  #underWay: Promise<void> | undefined;
  /** Every write up to this revision is confirmed. */
  #confirmed = 0;

  constructor(client: Redis, options: Options) {
    this.#client = client;
    this.#options = options;
    this.#expected = options.waitReplicas;
  }

  /** Resolves with the answer when the replicas have it. Calls of one turn of the event loop go out together, in their order. Throws `Unconfirmed`. */
  send(words?: Words): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#outbox.push({ words, deadline: performance.now() + this.#options.confirmMs, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => void this.#run());
    });
  }

  /** Returns when the replicas have every write up to a revision: at once when they are known to, while an empty call asks them anew. Throws `Unconfirmed`. */
  async reach(revision: number): Promise<void> {
    if (revision > this.#confirmed) await this.#underWay;
    if (revision > this.#confirmed) await this.send();
  }

  get #waits(): boolean {
    return this.#options.waitReplicas > 0;
  }

  async #run(): Promise<void> {
    while (this.#outbox.length + this.#held.length > 0) {
      this.#underWay = this.#exchange(this.#outbox.splice(0, batchCalls));
      if (this.#waits) await this.#underWay;
      // Replicas would confirm it at once, again and again.
      if (this.#held.length > 0 && this.#options.isReplaced()) await sleep(fenceMs);
    }
    this.#running = false;
  }

  async #exchange(calls: readonly Call[]): Promise<void> {
    const pipeline = this.#client.pipeline();
    for (const { words } of calls) if (words) pipeline.callBuffer(...words);
    // WAIT waits for what its own connection has written. A message is the smallest write: replicas get it, the disk does not.
    if (this.#waits) pipeline.publish(keys.fence, '').hget(keys.meta, 'revision').role().wait(this.#expected, fenceMs).role();
    try {
      const results = [...((await pipeline.exec()) ?? [])];
      for (const call of calls) this.#hold(call, call.words ? results.shift()! : [null, undefined]);
      if (this.#waits) this.#settle(results);
    } catch (err) {
      for (const call of calls) call.reject(err);
      this.#refuse(err);
    }
  }

  /** What failed has changed nothing, and needs no replica. */
  #hold(call: Call, [err, reply]: Result): void {
    if (err) call.reject(err);
    else if (this.#waits) this.#held.push({ call, reply });
    else call.resolve(reply);
  }

  /** Answers what was held back, given the answers to the fence. */
  #settle(fence: readonly Result[]): void {
    const [, [, revision], [opened, opening], [late], [closed, closing]] = fence as readonly [Result, Result, Result, Result, Result];
    const [before, after] = [opened ? undefined : standingOf(opening), closed ? undefined : standingOf(closing)];
    const err = opened ?? closed ?? (before && after ? late : new Error('it is the primary no more'));
    if (err || !before || !after) {
      this.#refuse(err);
      return;
    }
    const { waitReplicas } = this.#options;
    this.#expected = Math.max(waitReplicas, after.replicas.length);
    const missing = this.#options.isReplaced() ? 'another primary is about to take its place' : shortfall(before, after, waitReplicas);
    if (missing === undefined) this.#confirmed = Number(revision);
    const held = this.#held;
    this.#held = [];
    const now = performance.now();
    for (const one of held) {
      if (missing === undefined) one.call.resolve(one.reply);
      else if (one.call.deadline > now) this.#held.push(one);
      else one.call.reject(new Unconfirmed(missing));
    }
  }

  /** Nobody will know of what is held back. */
  #refuse(err: unknown): void {
    const held = this.#held;
    this.#held = [];
    for (const { call } of held) call.reject(err);
  }
}
