/**
 * One of several processes leads, by holding a Lease (as client-go's leaderelection with a LeaseLock does, so that both
 * may take part in one election). https://kubernetes.io/docs/concepts/architecture/leases/
 */
import { leases } from '../api/resource-types.ts';
import type { Lease } from '../api/schema/types.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { microTimestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { isNotFound } from './api-error.ts';
import type { Client } from './client.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly name: string;
  readonly namespace?: string;
  /** Must be unique to the process: host name plus something random. */
  readonly identity: string;
  readonly leaseSeconds?: number;
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
  readonly clock?: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Runs while this process leads; its signal aborts when it no longer does. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
}

/** Waits for the lead, calls `lead`, and resolves when that has ended, the lead is lost, or the signal aborts. */
export async function runLeaderElection(options: LeaderElectionOptions): Promise<void> {
  const { client, name, identity, log, signal } = options;
  const namespace = options.namespace ?? 'kube-system';
  const clock = options.clock ?? systemClock;
  const leaseSeconds = options.leaseSeconds ?? 15;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryMs = options.retryMs ?? 2_000;
  // A lease is judged by when its change was seen here, never by the clocks of two machines.
  let seen: { readonly version: string; readonly at: number } | undefined;

  async function tryAcquire(signal: AbortSignal): Promise<boolean> {
    let lease: Lease | undefined;
    try {
      lease = await client.get(leases, name, { namespace, signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
    const now = microTimestamp(clock.now());
    const mine = { holderIdentity: identity, leaseDurationSeconds: leaseSeconds, renewTime: now };
    if (!lease) {
      const spec = { ...mine, acquireTime: now, leaseTransitions: 0 };
      await client.create(leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec }, { signal });
      return true;
    }
    const version = lease.metadata.resourceVersion ?? '';
    const holder = lease.spec?.holderIdentity;
    if (holder && holder !== identity) {
      if (seen?.version !== version) seen = { version, at: clock.monotonic() };
      if (clock.monotonic() < seen.at + (lease.spec?.leaseDurationSeconds ?? leaseSeconds) * 1000) return false;
    }
    const taken = holder === identity ? {} : { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    await client.update(leases, { ...lease, spec: { ...lease.spec, ...mine, ...taken } }, { signal });
    return true;
  }

  async function attempt(): Promise<boolean> {
    const late = new AbortController();
    // An answer that takes longer than the lease is good for would leave two leaders.
    const timer = clock.after(renewDeadlineMs / 2, () => late.abort(new Error(`no answer within ${renewDeadlineMs / 2000} s`)));
    try {
      return await tryAcquire(AbortSignal.any([signal, late.signal]));
    } catch (err) {
      if (!signal.aborted) log.debug(`Cannot take lease "${namespace}/${name}" yet: ${messageOf(err)}`);
      return false;
    } finally {
      timer.cancel();
    }
  }

  while (!(await attempt())) {
    if (signal.aborted) return;
    await clock.sleep(retryMs, signal).catch(() => {});
    if (signal.aborted) return;
  }
  log.info(`Leading by lease "${namespace}/${name}"`, { identity });
  const lost = new AbortController();
  const leading = options.lead(AbortSignal.any([signal, lost.signal]));
  const ended = leading.then(
    () => true,
    () => true,
  );
  let renewed = clock.monotonic();
  const over = new AbortController();
  void ended.then(() => over.abort());
  while (!signal.aborted && !over.signal.aborted) {
    await clock.sleep(retryMs, AbortSignal.any([signal, over.signal])).catch(() => {});
    if (signal.aborted || over.signal.aborted) break;
    const asked = clock.monotonic();
    if (await attempt()) renewed = asked;
    else if (clock.monotonic() - renewed > renewDeadlineMs) {
      log.error(`Lost lease "${namespace}/${name}"`, { identity });
      lost.abort(new Error('lost the lease'));
      break;
    }
  }
  await leading;
  await release();

  /** Gives the lease back, so that the next one need not wait for it to run out. */
  async function release(): Promise<void> {
    if (lost.signal.aborted) return;
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTimestamp(clock.now()) };
    await client.patch(leases, name, { spec }, { namespace }).catch(() => {});
  }
}
