/**
 * Goes on with an etcd that was set back to an earlier state, once that is sure to be the same cluster's and its revision is above all that any client
 * was told of: so no resourceVersion of before ever means something else. All up to there counts as compacted, and each server on this etcd hears of it,
 * since its clients may come from one that had told them of more.
 */
import { onAbort } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { EtcdSettings } from './address.ts';
import { compactTo } from './compactor.ts';
import type { Endpoints, Reply } from './endpoints.ts';
import { EtcdClient } from './etcd-client.ts';
import { failed } from './etcd-error.ts';
import type { KeySpace } from './key-space.ts';
import { mostRaised, raise } from './raise.ts';

/** Compare's target. */
const modRevisionIs = 2;
const retryMs = 1_000;
/** So many revisions another server may have been ahead that was killed with the etcd of before. One that lives jumps by itself where that is too few. */
const ahead = 1_000;

/** What was known of the etcd of before. */
export interface Before {
  /** The newest revision that was heard of. */
  readonly revision: number;
  /** What told which cluster it was. */
  readonly cluster: Uint8Array | undefined;
}

export class Recovery {
  readonly #settings: EtcdSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #before: Before;
  #why: KnownError;

  constructor(settings: EtcdSettings, clock: Clock, log: Log, before: Before, why: KnownError) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#before = before;
    this.#why = why;
  }

  /** Why nothing is read or written meanwhile. */
  get why(): KnownError {
    return this.#why;
  }

  /** Tries until it may go on; undefined when the signal aborts. */
  async run(signal: AbortSignal): Promise<EtcdClient | undefined> {
    this.#log.error(this.#why.message, { hint: this.#why.hint });
    while (!signal.aborted) {
      const client = new EtcdClient(this.#settings, this.#clock, this.#log);
      // Nobody waits for an etcd that does not answer when the store closes.
      using _ = onAbort(signal, () => client.close());
      try {
        await this.#tryOn(client, signal);
        if (!signal.aborted) return client;
      } catch (err) {
        if (!signal.aborted) this.#refused(err);
      }
      client.close();
      await this.#clock.sleep(retryMs, signal).catch(() => {});
    }
    return undefined;
  }

  async #tryOn(client: EtcdClient, signal: AbortSignal): Promise<void> {
    const { space, shown } = this.#settings;
    await client.admit();
    if (!isSameCluster(this.#before.cluster, client.endpoints.newest.cluster)) throw anotherCluster(shown);
    const revision = await leaveBehind(client.endpoints, space, this.#before.revision, shown, signal);
    this.#log.warn('goes on with the etcd that was set back; every client lists anew', { known: this.#before.revision, revision });
  }

  #refused(err: unknown): void {
    const { code, message, hint } = failed('use', this.#settings.shown, err);
    if (message === this.#why.message) return;
    this.#log.warn(message, { hint });
    // What keeps it from going on is told, and in any case that what was known does not count.
    if (code !== 'STORE_UNAVAILABLE') this.#why = new KnownError('STORE_CORRUPT', message, { ...(hint && { hint }), cause: err });
  }
}

/** Whether two values of the Namespace kube-system are of one cluster: its uid never changes. Of one that was not seen nothing is asked. */
export function isSameCluster(before: Uint8Array | undefined, now: Uint8Array | undefined): boolean {
  const uid = uidOf(before);
  return uid === undefined || uid === uidOf(now);
}

/** Undefined also of what is encrypted. */
function uidOf(value: Uint8Array | undefined): string | undefined {
  if (!value) return undefined;
  try {
    const object = JSON.parse(Buffer.from(value).toString()) as { readonly metadata?: { readonly uid?: string } };
    return object.metadata?.uid;
  } catch {
    return undefined;
  }
}

function anotherCluster(shown: string): KnownError {
  return new KnownError('STORE_CORRUPT', `Cannot use store "${shown}": etcd has come back without the data of this cluster`, {
    hint:
      'Bring its data back, and this server goes on by itself: etcdutl snapshot restore FILE --bump-revision 1000000000 --mark-compacted. ' +
      'Is the new cluster meant, restart every API server that uses it',
  });
}

/** Sees that `known` and all before is compacted, for every server on this etcd; gives the revision from which on all counts. */
async function leaveBehind(endpoints: Endpoints, space: KeySpace, known: number, shown: string, signal: AbortSignal): Promise<number> {
  const write = (compare: readonly object[], key: string): Promise<Reply<'Txn'>> =>
    endpoints.call('Txn', { compare, success: [{ requestPut: { key } }], failure: [{ requestRange: { key } }] });
  for (;;) {
    const { header, kvs } = (await endpoints.call('Range', { key: space.jump })).response;
    const from = header!.revision;
    const last = kvs[0]?.modRevision ?? 0;
    // Another server was here before, and all have heard of it.
    if (last > known) return last;
    const to = Math.max(from, known + ahead);
    if (to - from > mostRaised) throw wentFarBack(shown, from, known, to - from);
    await raise(endpoints, () => write([], space.fence), { from, to }, signal);
    await compactTo(endpoints, to);
    const { response } = await write([{ target: modRevisionIs, key: space.jump, modRevision: last }], space.jump);
    if (response.succeeded) return response.header!.revision;
  }
}

function wentFarBack(shown: string, from: number, known: number, by: number): KnownError {
  return new KnownError('STORE_CORRUPT', `Cannot use store "${shown}": its revision went back from ${known} to ${from}`, {
    hint: `Restore the snapshot with a raised revision, and this server goes on by itself: etcdutl snapshot restore FILE --bump-revision ${by} --mark-compacted`,
  });
}
