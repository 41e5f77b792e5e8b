/** Keeps a certificate that the API server's signers give: the first one, and each next one long before it ends (client-go's util/certificate). */
import { isDeepStrictEqual } from 'node:util';
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Client } from '../client.ts';
import type { CertificateStore, StoredCertificate } from './certificate-store.ts';
import { requestCertificate, type WantedCertificate } from './request-certificate.ts';
import { rotationDeadline, satisfies } from './rotation.ts';

export interface CertificateManagerOptions {
  /** In messages: `client certificate`. */
  readonly what: string;
  readonly store: CertificateStore;
  /** What is wanted now; undefined while nobody knows, as before a node has addresses. */
  readonly wanted: () => Promise<WantedCertificate | undefined>;
  /** Who asks for the next one: it may be that the present one has ended. */
  readonly client: (hasValid: boolean) => Promise<Client>;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

/** A timer does not know that the clock was set, or that the machine slept: the time is looked at so often. */
const lookMs = 10_000;
/** What is not known yet will be in a moment: the addresses of a Node that is being registered. */
const soonMs = 1_000;
/** Upstream's: five times, each twice as long; then at this pace. */
const retry = { durationMs: 2_000, capMs: 32_000, jitter: 0.1 };

export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #backOff: BackOff;
  #current: StoredCertificate | undefined;
  #deadline = Number.NEGATIVE_INFINITY;
  #said = '';

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#backOff = new BackOff({ ...retry, random: options.random ?? Math.random });
  }

  /** Why there is no certificate that could be used; undefined while there is one. */
  get problem(): string | undefined {
    const { what, clock } = this.#options;
    if (!this.#current) return `there is no ${what} yet`;
    const { validToDate } = this.#current.leaf;
    return clock.now() < validToDate.getTime() ? undefined : `the ${what} has ended at ${validToDate.toISOString()}`;
  }

  /** Until the signal aborts. Never rejects: what goes wrong is said, and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options;
    this.#take(await store.current().catch(() => undefined));
    while (!signal.aborted) {
      const delayMs = await this.#pass(signal).catch((err: unknown) => this.#failed(err, signal));
      await clock.sleep(delayMs, signal).catch(() => {});
    }
  }

  /** Gives how long until the next look. */
  async #pass(signal: AbortSignal): Promise<number> {
    const { clock } = this.#options;
    const wanted = await this.#options.wanted();
    const isRight = wanted && this.#current && satisfies(this.#current.leaf, wanted.names);
    if (!wanted) return soonMs;
    if (isRight && clock.now() < this.#deadline) return lookMs;
    await this.#rotate(wanted, signal);
    return 0;
  }

  async #rotate(wanted: WantedCertificate, signal: AbortSignal): Promise<void> {
    const { what, store, client, clock, log } = this.#options;
    const request = new AbortController();
    const ended = AbortSignal.any([signal, request.signal]);
    void this.#whileWanted(wanted, request, ended);
    try {
      const pair = await requestCertificate(await client(this.problem === undefined), wanted, { clock, log, signal: ended });
      this.#take(await store.update(pair, clock.now()));
    } finally {
      request.abort();
    }
    this.#backOff.reset();
    this.#said = '';
    log.info(`Got a ${what}, good until ${this.#current?.leaf.validToDate.toISOString()}`);
  }

  /** A request that waits for a person is given up when something else is wanted meanwhile. */
  async #whileWanted(wanted: WantedCertificate, request: AbortController, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#options.clock.sleep(lookMs, ended).catch(() => {});
      const now = ended.aborted ? wanted : await this.#options.wanted().catch(() => wanted);
      if (now && !isDeepStrictEqual(now, wanted)) request.abort(new Error('other names are wanted by now'));
    }
  }

  #take(stored: StoredCertificate | undefined): void {
    this.#current = stored;
    this.#deadline = stored ? rotationDeadline(stored.leaf, (this.#options.random ?? Math.random)()) : Number.NEGATIVE_INFINITY;
  }

  #failed(err: unknown, signal: AbortSignal): number {
    if (signal.aborted) return 0;
    const why = messageOf(err);
    const { what, log } = this.#options;
    log[why === this.#said ? 'debug' : 'warn'](`Cannot get a new ${what}, and will try again: ${why}`);
    this.#said = why;
    return this.#backOff.step();
  }
}
