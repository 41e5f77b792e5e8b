import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import { openStore } from '../open.ts';
import { Compacted } from '../store.ts';
import { StoreUrl } from '../store-url.ts';
import { bytes, text } from '../testing/events.ts';
import { violations } from '../testing/history/check.ts';
import { Workload } from '../testing/history/workload.ts';
import { TestRedis } from '../testing/redis.ts';
import { readRedisUrl } from './address.ts';
import { openRedisStore } from './redis-store.ts';

const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);

interface Group {
  readonly primary: TestRedis;
  /** That the sentinel prefers. */
  readonly replica: TestRedis;
  readonly sentinel: TestRedis;
  readonly url: string;
}

async function startReplica(primary: TestRedis, settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
  const replica = await TestRedis.start({ ...settings, replicaof: `127.0.0.1 ${primary.port}` });
  await eventually('the replica to be up to date', async () => (await info(replica, 'replication')).includes('master_link_status:up'));
  return replica;
}

/** A primary, a replica that is up to date, and a sentinel that knows both. */
async function withGroup(fn: (group: Group) => Promise<void>): Promise<void> {
  await using primary = await TestRedis.start();
  await using replica = await startReplica(primary);
  await using sentinel = await TestRedis.startSentinel(primary, 1);
  await eventually('the sentinel to know the replica', async () => (await info(sentinel, 'sentinel')).includes('slaves=1'));
  await fn({ primary, replica, sentinel, url: `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster` });
}

async function info(redis: TestRedis, section: string): Promise<string> {
  return String(await redis.command('INFO', section));
}

/** The same with one replica more, which the sentinel takes when it has no other one. */
async function withThree(fn: (group: Group & { readonly other: TestRedis }) => Promise<void>, replTimeout = 60): Promise<void> {
  await using primary = await TestRedis.start({ 'repl-timeout': String(replTimeout) });
  await using replica = await startReplica(primary, { 'replica-priority': '10' });
  await using other = await startReplica(primary);
  await using sentinel = await TestRedis.startSentinel(primary, 1);
  await eventually('the sentinel to know the replicas', async () => (await info(sentinel, 'sentinel')).includes('slaves=2'));
  await eventually('the replicas to have said how far they are', async () => (await inSync(primary)).length === 2);
  await fn({ primary, replica, other, sentinel, url: `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster` });
}

/** The ports of the replicas that a primary has, and that have said how far they have come. */
async function inSync(primary: TestRedis): Promise<number[]> {
  const [, , replicas] = (await primary.command('ROLE')) as [string, number, [string, string, string][]];
  return replicas.filter(([, , offset]) => offset !== '0').map(([, port]) => Number(port));
}

/** A replica takes what it got first, and answers for it only with the next second: until then it gets nothing more, and knows of no cluster. */
async function hasReached({ replica }: Group, key: string): Promise<void> {
  await eventually(`${key} to reach the replica`, async () => (await replica.command('GET', `{fairlead}:${key}`)) !== null);
}

/** Returns when the sentinel has made the replica the primary. */
async function failOver({ replica, sentinel }: Group): Promise<void> {
  // It refuses for as long as it does not trust the replica.
  await eventually(async () => (await sentinel.command('SENTINEL', 'FAILOVER', 'mymaster')) === 'OK');
  await eventually('the fail-over', async () => (await info(replica, 'replication')).includes('role:master'));
  await eventually('the sentinel to say so', async () => (await info(sentinel, 'sentinel')).includes(`address=127.0.0.1:${replica.port}`));
}

describe('a fail-over by Sentinel', () => {
  test('with wait-replicas loses nothing that was acknowledged, and watches go on', async (t) => {
    t.diagnostic(`HISTORY_SEED=${seed}`);
    await withGroup(async (group) => {
      const { primary } = group;
      await using store = await openStore(`${group.url}?wait-replicas=1`, {});
      const workload = await Workload.start(store, { random: seededRandom(seed), writers: 3 });
      await workload.more(100);
      await primary.kill();
      await failOver(group);
      // It comes back as a replica: before that nothing can be confirmed. The sentinel would wait ten seconds with that.
      await primary.restart();
      await primary.command('REPLICAOF', '127.0.0.1', String(group.replica.port));
      await workload.more(100);
      const history = await workload.history();
      assert.deepEqual(violations(history), []);
      assert.ok((await store.revision()) < 1_000_000, 'revisions went on where they were');
    });
  });

  test('is followed to the new primary although other sentinels are away, which is said once', async () => {
    await withGroup(async (group) => {
      const said: string[] = [];
      const note = (text: string): void => void said.push(text);
      const url = group.url.replace('/mymaster', ',127.0.0.1:1/mymaster');
      await using store = await openStore(url, { log: { ...silentLog, warn: note, info: note } });
      assert.ok((await store.put('/a', bytes('before'))).ok);
      await hasReached(group, '/a');
      await failOver(group);
      assert.ok((await eventually(() => store.put('/a', bytes('after')))).ok);
      assert.equal(await group.replica.command('HGET', '{fairlead}meta', 'revision'), String(await store.revision()));
      assert.equal(said.filter((text) => text === 'a sentinel of Redis is away').length, 1);
      assert.ok(said.includes('connected to Redis again'), said.join());
    });
  });

  test('is followed as soon as the sentinel says so, however long the next try to connect would be away', async () => {
    await withGroup(async (group) => {
      const settings = readRedisUrl(StoreUrl.parse(group.url, { 'redis+sentinel': group.url }));
      const said: string[] = [];
      const note = (text: string): void => void said.push(text);
      await using store = await openRedisStore(
        { ...settings, pauseMs: 600_000, patienceMs: 600_000 },
        { log: { ...silentLog, warn: note } },
      );
      assert.ok((await store.put('/a', bytes('before'))).ok);
      await hasReached(group, '/a');
      await group.primary.kill();
      // What is sent before that may have been taken, which nobody could find out after a fail-over.
      await eventually('it to be noticed', () => said.includes('the connection to Redis broke, connecting again'));
      const written = store.put('/b', bytes('after'), { ifRevision: 0 });
      await failOver(group);
      assert.ok((await written).ok);
    });
  });

  test('needs the name that the sentinels know', async () => {
    await using primary = await TestRedis.start();
    await using sentinel = await TestRedis.startSentinel(primary, 1);
    await assert.rejects(openStore(`redis+sentinel://127.0.0.1:${sentinel.port}/other`, {}), (err) => {
      assert.ok(isKnownError(err, 'BAD_CONFIG'));
      assert.match(err.message, /^Cannot find Redis: the sentinel at 127\.0\.0\.1:\d+ watches no primary "other"$/);
      return true;
    });
  });

  test('without it may lose what was acknowledged last: that is noticed, and everybody lists anew', async () => {
    await withGroup(async (group) => {
      const { primary, replica } = group;
      await using store = await openStore(group.url, {});
      await store.put('/kept', bytes('kept'));
      await hasReached(group, '/kept');
      const { signal } = new AbortController();
      const watch = store.watch('/kept', '/kept0', 1, { signal })[Symbol.asyncIterator]();
      await watch.next();
      // More than fits into the buffers of the connection to a replica that stands still.
      replica.signal('SIGSTOP');
      const large = Buffer.alloc(1 << 20, 'x');
      let last = 0;
      for (let i = 0; i < 24; i++) {
        const { ok } = await store.put(`/lost/${i}`, large);
        assert.ok(ok);
        last++;
      }
      await primary.kill();
      replica.signal('SIGCONT');
      await failOver(group);
      await assert.rejects(watch.next(), (err) => err instanceof Compacted && err.floor > 1_000_000);
      assert.equal(await store.get(`/lost/${last - 1}`), undefined, 'the last write was acknowledged, and is lost');
      assert.equal(text((await store.get('/kept'))?.value), 'kept');
      const next = await store.put('/kept', bytes('again'), { ifRevision: 1 });
      assert.ok(next.ok && next.record.modRevision > 1_000_000);
    });
  });

  test('with wait-replicas a primary whose replica is away acknowledges nothing', async () => {
    await withGroup(async ({ primary, replica }) => {
      const settings = readRedisUrl(StoreUrl.parse(`${primary.url}?wait-replicas=1`, { redis: primary.url }));
      await using store = await eventually(() => openRedisStore({ ...settings, confirmMs: 2_000 }));
      assert.ok((await store.put('/a', bytes('one'), { ifRevision: 0 })).ok);
      replica.signal('SIGSTOP');
      await assert.rejects(
        store.put('/a', bytes('two'), { ifRevision: 1 }),
        /0 of 1 replicas confirmed it; whether it was written is unknown/,
      );
      // Who opens it now would believe what a fail-over may take back.
      await assert.rejects(openRedisStore({ ...settings, confirmMs: 500 }), /0 of 1 replicas confirmed it/);
      replica.signal('SIGCONT');
      assert.ok((await eventually(() => store.put('/b', bytes('three'), { ifRevision: 0 }))).ok);
    });
  });

  test('with wait-replicas loses nothing when the replica is taken that lags behind the other one', async () => {
    await withThree(async (group) => {
      const { primary, replica, other } = group;
      const settings = readRedisUrl(StoreUrl.parse(`${group.url}?wait-replicas=1`, { 'redis+sentinel': group.url }));
      // However long a busy machine takes.
      await using store = await openRedisStore({ ...settings, answerMs: 60_000, confirmMs: 60_000, patienceMs: 60_000 });
      replica.signal('SIGSTOP');
      // More than fits into the buffers of its connection.
      const large = Buffer.alloc(1 << 20, 'x');
      const acknowledged: string[] = [];
      const names = Array.from({ length: 24 }, (_, i) => `/large/${i}`);
      const writes = names.map(async (name) => {
        const { ok } = await store.put(name, large, { ifRevision: 0 });
        if (ok) acknowledged.push(name);
      });
      await eventually('the other one to have all', async () => (await other.command('EXISTS', `{fairlead}:${names.at(-1)}`)) === 1);
      await primary.kill();
      replica.signal('SIGCONT');
      await failOver(group);
      await Promise.all(writes);
      assert.deepEqual(acknowledged.toSorted(), names.toSorted());
      const { records, revision } = await store.range('/large/', '/large0');
      assert.deepEqual(records.map(({ key }) => key).toSorted(), names.toSorted());
      assert.ok(revision < 1_000_000, 'revisions went on where they were');
    });
  });

  test('with wait-replicas a replica that stands still holds writes back until the primary drops it, and none fails', async () => {
    await withThree(async ({ primary, replica, url }) => {
      await using store = await openStore(`${url}?wait-replicas=1`, {});
      replica.signal('SIGSTOP');
      const written = await Promise.all(['/a', '/b'].map((key) => store.put(key, bytes('held'), { ifRevision: 0 })));
      assert.ok(!(await inSync(primary)).includes(replica.port), 'it was acknowledged by a primary that still had that replica');
      assert.ok(written.every(({ ok }) => ok));
      assert.ok((await store.put('/c', bytes('free'), { ifRevision: 0 })).ok);
      replica.signal('SIGCONT');
      await eventually('it to be back', async () => (await inSync(primary)).includes(replica.port));
      assert.ok((await store.put('/d', bytes('with both'), { ifRevision: 0 })).ok);
      assert.equal(await replica.command('EXISTS', '{fairlead}:/d'), 1);
    }, 3);
  });

  test('with wait-replicas a replica that dies is missed by nobody, and the last one is', async () => {
    await withThree(async ({ primary, replica, other }) => {
      const settings = readRedisUrl(StoreUrl.parse(`${primary.url}?wait-replicas=1`, { redis: primary.url }));
      await using store = await openRedisStore(settings);
      await using impatient = await openRedisStore({ ...settings, confirmMs: 500 });
      await replica.kill();
      assert.ok((await store.put('/a', bytes('one'), { ifRevision: 0 })).ok);
      // As to a primary that wakes up after it was replaced.
      await using successor = await TestRedis.start();
      await other.command('REPLICAOF', '127.0.0.1', String(successor.port));
      await eventually('it to have none', async () => (await inSync(primary)).length === 0);
      await assert.rejects(impatient.put('/a', bytes('two'), { ifRevision: 1 }), /0 of 1 replicas confirmed it/);
      await assert.rejects(impatient.get('/a'), /0 of 1 replicas confirmed it/);
      await assert.rejects(impatient.revision(), /0 of 1 replicas confirmed it/);
    });
  });

  test('with wait-replicas loses nothing when the primary that is replaced lives', async (t) => {
    t.diagnostic(`HISTORY_SEED=${seed}`);
    await withThree(async ({ sentinel, url }) => {
      const primary = async (): Promise<string> => String(await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'));
      await using store = await openStore(`${url}?wait-replicas=1`, {});
      const workload = await Workload.start(store, { random: seededRandom(seed) });
      for (let i = 0; i < 3; i++) {
        await workload.more(100);
        const before = await primary();
        await eventually(async () => (await sentinel.command('SENTINEL', 'FAILOVER', 'mymaster')) === 'OK');
        await eventually('another primary', async () => (await primary()) !== before);
      }
      await workload.more(100);
      assert.deepEqual(violations(await workload.history()), []);
      assert.ok((await store.revision()) < 1_000_000, 'revisions went on where they were');
    });
  });
});
