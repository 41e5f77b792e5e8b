/** What an etcd holds at one revision, and an etcd that is filled with what another store held. */
import { systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Filled, ImageRecord, StoreImage } from '../image.ts';
import type { EtcdSettings } from './address.ts';
import { compactTo } from './compactor.ts';
import { Endpoints } from './endpoints.ts';
import { failed } from './etcd-error.ts';
import { Filling, refuseHalfFilled } from './filling.ts';
import type { KeyRange, KeySpace } from './key-space.ts';
import { LeaseBuckets } from './lease-buckets.ts';
import type { Message } from './messages.ts';
import { mostRaised, raise } from './raise.ts';

/** Keys that one call asks for. */
const pageKeys = 10_000;
/** Operations of one transaction: etcd takes 128 by default, and requests of 1.5 MiB. */
const batchRecords = 100;
const batchBytes = 1 << 20;
/** For records of a lease that cannot be asked for, since its id is no safe number: as long as kube-apiserver keeps Events. */
const unknownLeaseMs = 3_600_000;

async function connect({ endpoints: urls, tls, shown }: EtcdSettings): Promise<Endpoints> {
  const endpoints = new Endpoints(urls, tls, systemClock);
  try {
    await endpoints.examineAll();
    return endpoints;
  } catch (err) {
    endpoints.close();
    throw failed('use', shown, err);
  }
}

async function look(
  endpoints: Endpoints,
  range: KeyRange,
): Promise<{ readonly revision: number; readonly count: number; readonly id: number }> {
  const { header, count } = (await endpoints.call('Range', { ...range, countOnly: true })).response;
  return { revision: header!.revision, count, id: header!.clusterId };
}

/** etcd's own snapshot of all that it holds, other prefixes too, in pieces. */
export async function* readEtcdDatabase(settings: EtcdSettings): AsyncGenerator<Uint8Array> {
  const endpoints = await connect(settings);
  try {
    yield* endpoints.openSnapshot();
  } catch (err) {
    throw failed('read', settings.shown, err);
  } finally {
    endpoints.close();
  }
}

/** The keys are read at once: they are what is sorted, and what tells later whether anything has changed. */
export async function readEtcdImage(settings: EtcdSettings): Promise<StoreImage> {
  const { space, shown } = settings;
  const endpoints = await connect(settings);
  try {
    await refuseHalfFilled(endpoints, space, shown);
    const { revision, id } = await look(endpoints, space.whole);
    const keys = await keysAt(endpoints, space, revision);
    return {
      engine: 'etcd',
      cluster: id.toString(16),
      revision,
      async *records() {
        try {
          yield* recordsAt(endpoints, space, keys, revision);
        } catch (err) {
          throw failed('read', shown, err);
        }
      },
      isCurrent: () => isUnchanged(endpoints, space, keys, revision),
      [Symbol.asyncDispose]: async () => endpoints.close(),
    };
  } catch (err) {
    endpoints.close();
    throw failed('read', shown, err);
  }
}

/** Without their values, in the order of their revisions. */
async function keysAt(endpoints: Endpoints, space: KeySpace, revision: number): Promise<readonly Message<'KeyValue'>[]> {
  const found: Message<'KeyValue'>[] = [];
  let { key, rangeEnd } = space.whole;
  for (;;) {
    const { response } = await endpoints.call('Range', { key, rangeEnd, revision, limit: pageKeys, keysOnly: true });
    found.push(...response.kvs);
    if (!response.more) return found.sort((a, b) => a.modRevision - b.modRevision);
    key = `${response.kvs.at(-1)!.key}\0`;
  }
}

async function* recordsAt(
  endpoints: Endpoints,
  space: KeySpace,
  keys: readonly Message<'KeyValue'>[],
  revision: number,
): AsyncGenerator<ImageRecord> {
  const expiry = new Expiry(endpoints);
  for (let i = 0; i < keys.length; i += batchRecords) {
    const success = keys.slice(i, i + batchRecords).map((one) => ({ requestRange: { key: one.key, revision } }));
    const { response } = await endpoints.call('Txn', { success });
    for (const { responseRange } of response.responses)
      for (const kv of responseRange!.kvs) yield { ...space.record(kv), expiresAt: await expiry.of(kv.lease) };
  }
}

/** Whether nobody has written there since. The revision does not tell: writes of other keys raise it, too, and so does what has expired. */
async function isUnchanged(
  endpoints: Endpoints,
  space: KeySpace,
  then: readonly Message<'KeyValue'>[],
  revision: number,
): Promise<boolean> {
  const now = await keysAt(endpoints, space, (await look(endpoints, space.whole)).revision);
  const lasting = (keys: readonly Message<'KeyValue'>[]): number => keys.filter(({ lease }) => lease === 0).length;
  return (now.at(-1)?.modRevision ?? 0) <= revision && lasting(now) === lasting(then);
}

/** When leases end, each asked for once. */
class Expiry {
  readonly #endpoints: Endpoints;
  readonly #known = new Map<number, number>();

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
  }

  async of(lease: number): Promise<number | undefined> {
    if (lease === 0) return undefined;
    const known = this.#known.get(lease);
    if (known !== undefined) return known;
    const at = Date.now() + (await this.#remainingMs(lease));
    this.#known.set(lease, at);
    return at;
  }

  async #remainingMs(id: number): Promise<number> {
    if (!Number.isSafeInteger(id)) return unknownLeaseMs;
    // One that has just ended has a time of -1.
    return Math.max(0, (await this.#endpoints.call('LeaseTimeToLive', { id })).response.ttl * 1_000);
  }
}

/**
 * Fills an etcd that holds nothing under the prefix. Revisions are etcd's own: its revision is raised first, so that every record gets one above
 * `revision`, in the order of their old ones; all before counts as compacted. After a failure the records are removed again. What a try that was
 * killed has left, no server takes, and the next one removes; one that still goes on is ended by that.
 */
export async function fillEtcd(
  settings: EtcdSettings,
  image: StoreImage,
  revision: number,
  signal: AbortSignal | undefined,
): Promise<Filled> {
  const { space, shown } = settings;
  const endpoints = await connect(settings);
  try {
    const filling = new Filling(endpoints, space, shown);
    if (!(await filling.take())) {
      const { count } = await look(endpoints, space.whole);
      throw new KnownError('STORE_NOT_EMPTY', `Cannot fill store "${shown}": it holds ${count} records already`, {
        hint: `Give another prefix (?prefix=/NAME), or remove what is there: etcdctl del --prefix ${space.whole.key}`,
      });
    }
    try {
      const there = await look(endpoints, space.whole);
      mustReach(there.revision, revision, shown);
      await raise(endpoints, () => filling.raise(), { from: there.revision, to: revision }, signal);
      await writeRecords(endpoints, filling, space, image);
      await compactTo(endpoints, (await look(endpoints, space.whole)).revision);
      return { revision: await filling.finish(), keepsRevisions: false };
    } catch (err) {
      // Where that fails, too, the mark keeps servers away.
      await filling.undo().catch(() => {});
      throw err;
    }
  } catch (err) {
    throw failed('fill', shown, err);
  } finally {
    endpoints.close();
  }
}

/** Throws BAD_CONFIG when so many writes would take too long. */
function mustReach(from: number, to: number, shown: string): void {
  if (to - from > mostRaised)
    throw new KnownError('BAD_CONFIG', `Cannot fill store "${shown}": its revision is ${from}, and must be above ${to}`, {
      hint:
        'Of a snapshot after which fewer writes were made, restore with a smaller --revision-gap. Or begin with an etcd of a higher revision: ' +
        `"etcdctl snapshot save EMPTY" of this one, then on each member "etcdutl snapshot restore EMPTY --bump-revision ${to - from} --mark-compacted" ` +
        '(etcd 3.5.10 or later)',
    });
}

async function writeRecords(endpoints: Endpoints, filling: Filling, space: KeySpace, image: StoreImage): Promise<void> {
  const leases = new LeaseBuckets(endpoints, systemClock);
  let batch: { readonly requestPut: { readonly key: string; readonly value: Uint8Array; readonly lease: number } }[] = [];
  let bytes = 0;
  async function flush(): Promise<void> {
    if (batch.length > 0) await filling.write(batch);
    batch = [];
    bytes = 0;
  }
  for await (const { key, value, expiresAt } of image.records()) {
    const leftMs = expiresAt === undefined ? undefined : expiresAt - Date.now();
    if (leftMs !== undefined && leftMs <= 0) continue;
    const lease = leftMs === undefined ? 0 : await leases.lease(Math.ceil(leftMs / 1_000));
    if (batch.length >= batchRecords || bytes + value.length > batchBytes) await flush();
    batch.push({ requestPut: { key: space.toEtcd(key), value, lease } });
    bytes += value.length;
  }
  await flush();
}
