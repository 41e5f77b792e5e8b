/**
 * Forgets old revisions, as kube-apiserver does (apiserver/pkg/storage/etcd3/compact.go) and together with it: whoever first replaces
 * the version of `compact_rev_key` that all of them know compacts in that round, up to the revision that it saw in the round before.
 */
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Endpoints } from './endpoints.ts';
import { isCompacted } from './etcd-error.ts';

const key = 'compact_rev_key';

export interface Round {
  /** The version of the key, which counts the rounds. */
  readonly version: number;
  /** The revision when it began. */
  readonly revision: number;
}

/** One round after another; the first one of a server only looks. */
export async function compactRound(endpoints: Endpoints, last: Round): Promise<Round> {
  const { response } = await endpoints.call('Txn', {
    compare: [{ key, version: last.version }],
    success: [{ requestPut: { key, value: Buffer.from(String(last.revision)) } }],
    failure: [{ requestRange: { key } }],
  });
  const { revision } = response.header!;
  if (!response.succeeded) return { version: response.responses[0]?.responseRange?.kvs[0]?.version ?? 0, revision };
  if (last.revision > 0) await compactTo(endpoints, last.revision);
  return { version: last.version + 1, revision };
}

/** Compacts, be it compacted that far already or not. */
export async function compactTo(endpoints: Pick<Endpoints, 'call'>, revision: number): Promise<void> {
  try {
    await endpoints.call('Compaction', { revision });
  } catch (err) {
    if (!isCompacted(err)) throw err;
  }
}

/** Until the signal aborts. */
export async function keepCompacting(endpoints: Endpoints, everyMs: number, clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
  let last: Round = { version: 0, revision: 0 };
  for (;;) {
    try {
      await clock.sleep(everyMs, signal);
    } catch {
      return;
    }
    try {
      last = await compactRound(endpoints, last);
    } catch (err) {
      if (!signal.aborted) log.warn('cannot compact etcd, trying again next time', { error: messageOf(err) });
    }
  }
}
