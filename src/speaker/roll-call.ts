/**
 * The speakers of a cluster among each other: each tells all others that it lives, and hears who does. There is no leader and no store: when the API
 * server is away, addresses still move from a dead node to one that lives.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock/clock.ts';
import { decodeHello, encodeHello } from './hello.ts';
import { beatMs, Members, silenceMs } from './members.ts';

/** Others that begin at the same time say that they are ready, too, before the first choice. */
const gatherMs = 100;

export interface RollCallOptions {
  readonly nodeName: string;
  /** Sends to every other node. Datagrams get lost as they please. */
  readonly send: (datagram: Buffer) => void;
  /** Nodes from which a hello is to be expected. */
  readonly expected: () => readonly string[];
  /** Who lives, or whether this node is ready, has changed. */
  readonly onChange: () => void;
  readonly clock: Clock;
}

export class RollCall {
  readonly #options: RollCallOptions;
  readonly #members = new Members();
  readonly #life = randomUUID();
  #key: Uint8Array | undefined;
  #count = 0;
  #isReady = false;
  /** When this node began to listen; undefined while there is nothing to announce in the cluster. */
  #since: number | undefined;
  #beatAt = 0;
  /** Others that begin at the same time are waited for, for a moment. */
  #isGathering = false;
  /** The candidates that were told last. */
  #told = '';
  #timers: { cancel(): void }[] = [];

  constructor(options: RollCallOptions) {
    this.#options = options;
  }

  /** Nodes that may announce now; this one among them when it is ready. */
  get candidates(): string[] {
    const { clock, nodeName } = this.#options;
    return this.#isReady && !this.#isGathering ? [nodeName, ...this.#members.ready(clock.monotonic())] : [];
  }

  setKey(key: Uint8Array | undefined): void {
    this.#key = key;
    // What was said without it reached nobody.
    if (this.#since !== undefined) this.#listenAnew(this.#options.clock.monotonic());
  }

  /** Takes part, or keeps quiet: a cluster without anything to announce is left alone. */
  setActive(isActive: boolean): void {
    if (isActive === (this.#since !== undefined)) return;
    if (isActive) this.#begin();
    else this.end();
  }

  hear(datagram: Buffer): void {
    const hello = this.#key && decodeHello(datagram, this.#key);
    if (!hello || hello.node === this.#options.nodeName) return;
    const now = this.#options.clock.monotonic();
    this.#members.hear(hello, now);
    this.#settle(now);
    this.#check();
  }

  /** Says that others should take over, and tells no more. */
  end(): void {
    const said = this.#since !== undefined;
    this.#isReady = false;
    this.#since = undefined;
    for (const timer of this.#timers.splice(0)) timer.cancel();
    // Twice: one may get lost, and nobody would know for two seconds.
    if (said) for (let i = 0; i < 2; i++) this.#say();
    this.#isGathering = false;
    this.#members.forget();
    this.#check();
  }

  #begin(): void {
    const now = this.#options.clock.monotonic();
    this.#beatAt = now;
    this.#listenAnew(now);
    this.#beat();
  }

  /** Nothing is known of the others, and nothing falls to this one until it is. */
  #listenAnew(now: number): void {
    this.#since = now;
    this.#isReady = false;
    this.#check();
  }

  #after(ms: number, work: () => void): void {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
      work();
    });
    this.#timers.push(timer);
  }

  #beat(): void {
    const now = this.#options.clock.monotonic();
    // This process stood still for so long that others may have taken it for dead.
    if (now - this.#beatAt > silenceMs - beatMs) {
      this.#members.forget();
      this.#listenAnew(now);
    }
    this.#beatAt = now;
    this.#say();
    this.#settle(now);
    this.#check();
    // At the moment at which the next of the others would be silent for too long.
    const end = this.#members.nextSilence(now);
    if (end !== undefined && end < now + beatMs) this.#after(end - now + 1, () => this.#check());
    this.#after(beatMs, () => this.#beat());
  }

  #check(): void {
    const candidates = this.candidates.toSorted().join(' ');
    if (candidates === this.#told || this.#isGathering) return;
    this.#told = candidates;
    this.#options.onChange();
  }

  #say(): void {
    if (!this.#key) return;
    const { nodeName, send } = this.#options;
    send(encodeHello({ node: nodeName, life: this.#life, count: ++this.#count, isReady: this.#isReady }, this.#key));
  }

  /** Ready is who has heard of all others, or has listened for as long as one that lives is never silent. */
  #settle(now: number): void {
    if (this.#isReady || this.#since === undefined || !this.#key) return;
    const alive = new Set(this.#members.alive(now));
    const hasHeardAll = this.#options.expected().every((node) => alive.has(node));
    if (!hasHeardAll && now - this.#since < silenceMs) return;
    this.#isReady = true;
    this.#isGathering = true;
    this.#say();
    this.#after(gatherMs, () => {
      this.#isGathering = false;
      this.#check();
    });
  }
}
