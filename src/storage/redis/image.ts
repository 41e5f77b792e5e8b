/** What a Redis holds at one moment, and a Redis that is filled with what another store held. */
import { randomBytes } from 'node:crypto';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import type { Filled, ImageRecord, StoreImage } from '../image.ts';
import type { RedisSettings } from './address.ts';
import { Greeter } from './greeter.ts';
import { filling, keys } from './library.ts';
import { encodeRecord, idBytes } from './record.ts';
import { failed } from './redis-error.ts';
import { openRedisStore } from './redis-store.ts';
import { Session } from './session.ts';

/** Records that are sent at once. */
const batchRecords = 256;

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
 * begins by removing them.
 */
export async function fillRedis(settings: RedisSettings, image: StoreImage, revision: number): Promise<Filled> {
  const session = await Session.open(settings);
  try {
    await removeHalf(session);
    await new Greeter(settings, silentLog).greet(session, undefined);
    if (Number(await session.writes.hget(keys.meta, 'revision')) > 0)
      throw new KnownError('STORE_NOT_EMPTY', `Cannot fill store "${settings.shown}": it holds a cluster already`, {
        hint: 'Give another database of this Redis (redis://HOST/1), or empty this one: redis-cli -n DATABASE FLUSHDB',
      });
    await session.writes.hset(keys.meta, 'format', filling);
    const id = randomBytes(idBytes);
    await writeRecords(session, image, id);
    const at = String(revision);
    await session.writes.hset(keys.meta, { revision: at, compacted: at, forgotten: at, last: id, format: '1' });
    await session.confirm(session.writes);
    return { revision, keepsRevisions: true };
  } catch (err) {
    throw isKnownError(err) ? err : failed('fill', settings.shown, err);
  } finally {
    session.end(new Error('it was filled'));
  }
}

async function writeRecords({ writes }: Session, image: StoreImage, id: Buffer): Promise<void> {
  let batch: ImageRecord[] = [];
  async function flush(): Promise<void> {
    const pipeline = writes.pipeline();
    for (const record of batch) {
      pipeline.set(keys.record(record.key), encodeRecord(record, id)).zadd(keys.index, '0', record.key);
      if (record.expiresAt !== undefined) pipeline.zadd(keys.expiry, String(record.expiresAt), record.key);
    }
    for (const [err] of (await pipeline.exec()) ?? []) if (err) throw err;
    batch = [];
  }
  for await (const record of image.records()) if (batch.push(record) >= batchRecords) await flush();
  await flush();
}

/** What an earlier try has left. */
async function removeHalf({ writes }: Session): Promise<void> {
  if ((await writes.hget(keys.meta, 'format')) !== filling) return;
  for (;;) {
    const names = await writes.zrange(keys.index, '0', String(batchRecords - 1));
    if (names.length === 0) break;
    await writes
      .pipeline()
      .del(...names.map((name) => keys.record(name)))
      .zrem(keys.index, ...names)
      .exec();
  }
  await writes.del(keys.meta, keys.index, keys.expiry, keys.log, keys.recent);
}
