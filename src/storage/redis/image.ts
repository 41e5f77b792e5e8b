/** What a Redis holds at one moment, and a Redis that is filled with what another store held. */
import { randomBytes } from 'node:crypto';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import type { Filled, ImageRecord, StoreImage } from '../image.ts';
import type { RedisSettings } from './address.ts';
import { batchRecords, Filling } from './filling.ts';
import { Greeter } from './greeter.ts';
import { keys } from './library.ts';
import { encodeRecord, idBytes } from './record.ts';
import { failed } from './redis-error.ts';
import { openRedisStore } from './redis-store.ts';
import { Session } from './session.ts';

/** All records are read into memory, where Redis has them, too. */
export async function readRedisImage(settings: RedisSettings): Promise<StoreImage> {
  await using store = await openRedisStore(settings);
  const { records, revision } = await store.range('/', '0');
  const sorted = records.toSorted((a, b) => a.modRevision - b.modRevision);
  const session = await Session.open(settings);
  try {
    const { id, expiry } = await readRest(session);
    return {
      engine: 'redis',
      cluster: id,
      revision,
      async *records() {
        for (const record of sorted) yield { ...record, expiresAt: expiry.get(record.key) };
      },
      isCurrent: async () => Number(await session.reads.hget(keys.meta, 'revision')) === revision,
      [Symbol.asyncDispose]: async () => session.end(new Error('it was read')),
    };
  } catch (err) {
    session.end(err);
    throw isKnownError(err) ? err : failed('read', settings.shown, err);
  }
}

async function readRest({ reads }: Session): Promise<{ readonly id: string; readonly expiry: ReadonlyMap<string, number> }> {
  const id = (await reads.hgetBuffer(keys.meta, 'id'))!.toString('hex');
  const flat = await reads.zrange(keys.expiry, '0', '-1', 'WITHSCORES');
  const expiry = new Map<string, number>();
  for (let i = 0; i + 1 < flat.length; i += 2) expiry.set(flat[i]!, Number(flat[i + 1]));
  return { id, expiry };
}

/**
 * Fills a Redis that holds nothing. Every revision is kept. Until it is done the data bear another format than servers take, and the next try
 * begins by removing them, which ends one that still goes on.
 */
export async function fillRedis(settings: RedisSettings, image: StoreImage, revision: number): Promise<Filled> {
  const session = await Session.open(settings);
  try {
    const store = new Filling(session.writes, settings.shown);
    await store.removeHalf();
    await new Greeter(settings, silentLog).greet(session, undefined).catch(async (err: unknown) => {
      await store.refuseOther();
      throw err;
    });
    if (!(await store.take()))
      throw new KnownError('STORE_NOT_EMPTY', `Cannot fill store "${settings.shown}": it holds a cluster already`, {
        hint: 'Give another database of this Redis (redis://HOST/1), or empty this one: redis-cli -n DATABASE FLUSHDB',
      });
    const id = randomBytes(idBytes);
    await writeRecords(store, image, id);
    const at = String(revision);
    await store.finish({ revision: at, compacted: at, forgotten: at, last: id });
    await session.confirm();
    return { revision, keepsRevisions: true };
  } catch (err) {
    throw isKnownError(err) ? err : failed('fill', settings.shown, err);
  } finally {
    session.end(new Error('it was filled'));
  }
}

async function writeRecords(store: Filling, image: StoreImage, id: Buffer): Promise<void> {
  let batch: ImageRecord[] = [];
  async function flush(): Promise<void> {
    const records = batch;
    batch = [];
    if (records.length === 0) return;
    await store.write((all) => {
      for (const record of records) {
        all.set(keys.record(record.key), encodeRecord(record, id)).zadd(keys.index, '0', record.key);
        if (record.expiresAt !== undefined) all.zadd(keys.expiry, String(record.expiresAt), record.key);
      }
    });
  }
  for await (const record of image.records()) if (batch.push(record) >= batchRecords) await flush();
  await flush();
}
