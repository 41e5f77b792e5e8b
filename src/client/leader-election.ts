/**
 * One of several processes leads, by holding a Lease: what client-go's leaderelection does with a LeaseLock, so that both may take part in
 * one election. https://kubernetes.io/docs/concepts/architecture/leases/
 */
import { termOf, termText } from '../api/leader-term.ts';
import { leases } from '../api/resource-types.ts';
import type { Lease } from '../api/schema/types.ts';
import type { Clock } from '../clock/clock.ts';
import { microTimestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { ignoreNotFound, isAlreadyExists, isConflict } from './api-error.ts';
import type { Client } from './client.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { Term } from './term.ts';

export interface LeaderElectionOptions {
  readonly client: Pick<Client, 'get' | 'create' | 'update'>;
  readonly namespace: string;
  readonly name: string;
  /** Must be unique to the process: host name plus something random. */
  readonly identity: string;
  /** Others wait so long after the last renewal that they saw, before they take the Lease. */
  readonly leaseDurationMs: number;
  /** The leader gives up when it could not renew for so long; less than `leaseDurationMs`, and the rest is what it sent last has to arrive. */
  readonly renewDeadlineMs: number;
  /** Between two attempts to take or renew the Lease. */
  readonly retryPeriodMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Tells of the Lease who leads and who no longer does. */
  readonly recorder?: Pick<EventRecorder, 'event'>;
}

export class LeaderElector {
  readonly #options: LeaderElectionOptions;
  /** The Lease as it was last seen or written. */
  #observed: Lease | undefined;
  /** When that version was first seen here: a Lease is judged by this, never by the clocks of two machines. */
  #observedAt = 0;
  /** When the last renewal that succeeded was asked for. */
  #renewedAt = 0;
  #isLeader = false;
  /** Whether it was taken for this term: the next one begins with a taking of its own, also when nobody else had the Lease in between. */
  #isTaken = false;
  #said = '';

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  /** Whether a term is under way here. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Whether it leads by a Lease that others may take: its work should have ended. */
  get isExpired(): boolean {
    return this.#isLeader && this.#leftMs(this.#options.leaseDurationMs) <= 0;
  }

  /**
   * Waits for the lead, then calls `lead` with its term. Resolves when the term is over, and may be called again then. While `lead` goes on the Lease is
   * renewed, and given back at its end; throws what `lead` throws. A Lease that is lost ends the term: `lead` is told, is left alone when it does not
   * end in time, for it can act no more, and what it throws is logged.
   */
  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    this.#options.log.info(`Leading by lease "${this.#key}"`, { identity: this.#options.identity });
    this.#tell(this.#observed, 'became leader');
    this.#isLeader = true;
    const ended = new AbortController();
    const over = new AbortController();
    const mayAct = (): boolean => !ended.signal.aborted && this.#isMine && this.#leftMs(this.#options.renewDeadlineMs) > 0;
    const term = { signal: AbortSignal.any([signal, ended.signal]), mayAct, text: () => this.#text() };
    const leading = lead(term).finally(() => over.abort());
    // Awaited below.
    leading.catch(() => {});
    const isKept = await this.#renew(over.signal);
    this.#isLeader = false;
    this.#isTaken = false;
    ended.abort(new Error('the term is over'));
    if (isKept) {
      await this.#release();
      await leading;
      return;
    }
    leading.catch((err: unknown) => this.#options.log.warn(`The last term under lease "${this.#key}" ended: ${messageOf(err)}`));
    await this.#standBack(over.signal, signal);
  }

  /** One attempt. True when the Lease is this one's now; throws what the API server answers. */
  async tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name, identity, clock } = this.#options;
    const asked = clock.monotonic();
    const lease = await client.get(leases, name, { namespace, signal }).catch(ignoreNotFound);
    this.#observe(lease);
    const holder = lease?.spec?.holderIdentity;
    if (holder && holder !== identity && this.#isHeld(lease)) return false;
    const spec = this.#renewed(lease?.spec);
    const fresh = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec };
    this.#observe(await (lease ? client.update(leases, { ...lease, spec }, { signal }) : client.create(leases, fresh, { signal })));
    this.#renewedAt = asked;
    this.#isTaken = true;
    return true;
  }

  get #key(): string {
    return `${this.#options.namespace}/${this.#options.name}`;
  }

  /** Whether the Lease is this one's, as far as it knows. */
  get #isMine(): boolean {
    return this.#observed?.spec?.holderIdentity === this.#options.identity;
  }

  /** The term by the Lease as it is: who deleted it has begun another one. */
  #text(): string | undefined {
    const term = this.#observed && termOf(this.#observed);
    return term && termText(term);
  }

  /** In the words of client-go's LeaseLock. */
  #tell(lease: Lease | undefined, what: string): void {
    const { recorder, identity } = this.#options;
    if (lease) recorder?.event(lease, 'Normal', 'LeaderElection', `${identity} ${what}`);
  }

  #observe(lease: Lease | undefined): void {
    if (lease?.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observedAt = this.#options.clock.monotonic();
    this.#observed = lease;
  }

  #isHeld(lease: Lease | undefined): boolean {
    const { clock, leaseDurationMs } = this.#options;
    const seconds = lease?.spec?.leaseDurationSeconds ?? leaseDurationMs / 1000;
    return clock.monotonic() < this.#observedAt + seconds * 1000;
  }

  #renewed(spec: Lease['spec']): NonNullable<Lease['spec']> {
    const { identity, leaseDurationMs, clock } = this.#options;
    const now = microTimestamp(clock.now());
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000), renewTime: now };
    if (spec?.holderIdentity === identity) return this.#isTaken ? { ...spec, ...mine } : { ...spec, ...mine, acquireTime: now };
    const leaseTransitions = spec === undefined ? 0 : (spec.leaseTransitions ?? 0) + 1;
    return { ...spec, ...mine, acquireTime: now, leaseTransitions };
  }

  /** What is left of `ms` since the last renewal. */
  #leftMs(ms: number): number {
    return this.#renewedAt + ms - this.#options.clock.monotonic();
  }

  /** False when the signal aborts first. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, renewDeadlineMs, retryPeriodMs } = this.#options;
    while (!signal.aborted) {
      if (await this.#attempt(renewDeadlineMs / 2, signal)) return true;
      await clock.sleep(retryPeriodMs, signal).catch(() => {});
    }
    return false;
  }

  /** True when the signal aborts while the Lease is held; false when it cannot be held. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const { clock, renewDeadlineMs, retryPeriodMs } = this.#options;
    // Only who knows how a renewal ended can give the Lease back.
    const { signal: toItsEnd } = new AbortController();
    for (;;) {
      await clock.sleep(Math.min(retryPeriodMs, this.#leftMs(renewDeadlineMs)), signal).catch(() => {});
      const leftMs = this.#leftMs(renewDeadlineMs);
      // An answer that never comes must leave time for another attempt.
      if (!signal.aborted && leftMs > 0) await this.#attempt(Math.min(leftMs, renewDeadlineMs / 2), toItsEnd);
      if (!this.#isMine || this.#leftMs(renewDeadlineMs) <= 0) return false;
      if (signal.aborted) return true;
    }
  }

  async #attempt(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    try {
      const isMine = await this.#within(timeoutMs, (late) => this.tryAcquireOrRenew(AbortSignal.any([signal, late])));
      this.#said = '';
      return isMine;
    } catch (err) {
      const why = messageOf(err);
      // Another one was faster: what elections are for.
      const isNews = why !== this.#said && !isConflict(err) && !isAlreadyExists(err);
      if (!signal.aborted) log[isNews ? 'warn' : 'debug'](`Cannot take lease "${this.#key}" yet: ${why}`);
      this.#said = why;
      return false;
    }
  }

  async #within<T>(ms: number, work: (late: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = this.#options.clock.after(ms, () => late.abort(new Error(`no answer within ${ms / 1000} s`)));
    try {
      return await work(late.signal);
    } catch (err) {
      throw late.signal.aborted ? late.signal.reason : err;
    } finally {
      timer.cancel();
    }
  }

  /** Gives the Lease back, so that the next one need not wait for it to run out. A version that another one wrote stays. */
  async #release(): Promise<void> {
    const { client, clock, renewDeadlineMs } = this.#options;
    const lease = this.#observed;
    if (!lease || !this.#isMine) return;
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTimestamp(clock.now()) };
    this.#observed = undefined;
    // The process that ends must not wait for an API server that does not answer.
    await this.#within(renewDeadlineMs / 2, (signal) => client.update(leases, { ...lease, spec }, { signal })).catch(() => {});
    this.#tell(lease, 'stopped leading');
  }

  /**
   * After a loss: what was sent in time has the rest of a Lease to arrive, before anybody acts again, be it this one. Work has the same time to end; a
   * process that is to end waits for nothing but that.
   */
  async #standBack(over: AbortSignal, signal: AbortSignal): Promise<void> {
    const { clock, log, identity, leaseDurationMs, renewDeadlineMs } = this.#options;
    log.warn(`Lost lease "${this.#key}"`, { identity });
    this.#tell(this.#observed, 'stopped leading');
    const until = clock.monotonic() + leaseDurationMs - renewDeadlineMs;
    await clock.sleep(leaseDurationMs - renewDeadlineMs, signal).catch(() => {});
    await clock.sleep(Math.max(until - clock.monotonic(), 0), over).catch(() => {});
    if (!over.aborted) log.warn(`The work of the last term under lease "${this.#key}" has not ended; it can write no more`);
  }
}
