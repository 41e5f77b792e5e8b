import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { isKnownError, type KnownError } from '../../errors/known-error.ts';
import type { StoreImage } from '../image.ts';
import { fillStore, openImage, openStore } from '../open.ts';
import { openSqliteStore } from '../sqlite/sqlite-store.ts';
import type { Store, StoredRecord } from '../store.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { bytes, take, text } from '../testing/events.ts';
import { TestRedis } from '../testing/redis.ts';
import { copyStore } from './copy.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-copy-'));
let etcd: TestEtcd;
let redis: TestRedis;
let stores = 0;
let databases = 0;

before(async () => {
  [etcd, redis] = await Promise.all([TestEtcd.start(), TestRedis.start({ databases: '64' })]);
});
after(async () => {
  await Promise.all([etcd[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
  rmSync(dir, { recursive: true });
});

/** A new, empty store of each kind. */
const fresh = {
  sqlite: () => `sqlite://${join(dir, `${stores++}.db`)}`,
  etcd: () => etcd.url({ options: `prefix=/store${stores++}` }),
  redis: () => redis.url.replace(/0$/, String(databases++)),
};
type Kind = keyof typeof fresh;

function key(n: number): string {
  return `/registry/things/${String(n).padStart(4, '0')}`;
}

/** Records with a past: written over, deleted, large, and one that expires. */
async function fillByHand(url: string): Promise<void> {
  await using store = await openStore(url, {});
  for (let n = 0; n < 150; n++) await store.put(key(n), bytes(`first ${n}`));
  for (const n of [3, 1, 77]) await store.put(key(n), bytes(`second ${n}`));
  for (let n = 20; n < 60; n++) await store.delete(key(n));
  await store.put(key(200), new Uint8Array(300_000).fill(7));
  await store.put(key(201), bytes('gone soon'), { ttlSeconds: 5_000 });
}

async function filledByHand(): Promise<string> {
  const url = fresh.sqlite();
  await fillByHand(url);
  return url;
}

/** An image of 1,200 records, all with one value, that gives a half and waits; with an error it ends there. */
function pausing(value: string) {
  const [half, more] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const image: StoreImage = {
    engine: 'sqlite',
    cluster: '',
    revision: 1_200,
    async *records() {
      for (let n = 1; n <= 1_200; n++) {
        yield { key: key(n), value: bytes(value), createRevision: n, modRevision: n, expiresAt: undefined };
        if (n !== 600) continue;
        half.resolve();
        await more.promise;
      }
    },
    isCurrent: async () => true,
    async [Symbol.asyncDispose]() {},
  };
  return { image, isHalf: half.promise, goOn: (err?: Error) => (err ? more.reject(err) : more.resolve()) };
}

async function everything(store: Store): Promise<readonly StoredRecord[]> {
  return (await store.range('/registry/', '/registry0')).records;
}

function valuesOf(records: readonly StoredRecord[]): unknown {
  return records.map((record) => [record.key, Buffer.from(record.value).toString('base64')]);
}

function revisionsOf(records: readonly StoredRecord[]): unknown {
  return records.map(({ createRevision, modRevision }) => [createRevision, modRevision]);
}

async function expiryOf(url: string, name: string): Promise<number | undefined> {
  await using image = await openImage(url, { closed: false });
  for await (const record of image.records()) if (record.key === name) return record.expiresAt;
  return undefined;
}

describe('fairlead store copy', () => {
  const pairs: readonly (readonly [Kind, Kind])[] = [
    ['sqlite', 'sqlite'],
    ['sqlite', 'redis'],
    ['redis', 'sqlite'],
    ['redis', 'redis'],
    ['etcd', 'sqlite'],
    ['etcd', 'redis'],
  ];
  for (const [one, other] of pairs)
    test(`from ${one} to ${other} keeps every object and every revision`, async () => {
      const [from, to] = [fresh[one](), fresh[other]()];
      await fillByHand(from);
      const copied = await copyStore(from, to, () => {});
      await using source = await openStore(from, {});
      await using target = await openStore(to, {});
      const [theirs, ours] = [await everything(source), await everything(target)];
      assert.equal(ours.length, 112);
      assert.deepEqual([copied.records, copied.keepsRevisions, copied.revision], [112, true, copied.oldRevision]);
      assert.deepEqual(valuesOf(ours), valuesOf(theirs));
      assert.deepEqual(revisionsOf(ours), revisionsOf(theirs));
      assert.equal(await target.revision(), copied.revision);
      // Who was up to date goes on; who was not is told.
      await assert.rejects(take(target, '/', '0', copied.revision, 1), (err) => isKnownError(err, 'STORE_COMPACTED'));
      const put = await target.put(key(1), bytes('third'), { ifRevision: ours[1]!.modRevision });
      assert.equal(put.ok && put.record.modRevision, copied.revision + 1);
      assert.equal((await take(target, '/', '0', copied.revision + 1, 1))[0]?.revision, copied.revision + 1);
    });

  for (const one of ['sqlite', 'redis', 'etcd'] as const)
    test(`from ${one} to etcd keeps every object, each with a revision above all that clients have seen`, async () => {
      const [from, to] = [fresh[one](), fresh.etcd()];
      await using ahead = await openStore(from, {});
      for (let n = 0; n < 600; n++) await ahead.put(key(0), bytes(String(n)));
      await ahead.close();
      await fillByHand(from);
      const copied = await copyStore(from, to, () => {});
      await using source = await openStore(from, {});
      await using target = await openStore(to, {});
      const [theirs, ours] = [await everything(source), await everything(target)];
      assert.deepEqual(valuesOf(ours), valuesOf(theirs));
      assert.ok(ours.every((record) => record.modRevision > copied.oldRevision && record.createRevision > copied.oldRevision));
      // What changed later than something else still has no lower revision.
      const modOf = new Map(ours.map((record) => [record.key, record.modRevision]));
      const order = theirs.toSorted((a, b) => a.modRevision - b.modRevision).map((record) => modOf.get(record.key)!);
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
      assert.equal(copied.keepsRevisions, false);
      await assert.rejects(take(target, '/registry/', '/registry0', copied.oldRevision + 1, 1), (err) =>
        isKnownError(err, 'STORE_COMPACTED'),
      );
    });

  for (const [one, other] of [
    ['sqlite', 'redis'],
    ['sqlite', 'etcd'],
    ['redis', 'sqlite'],
    ['etcd', 'sqlite'],
  ] as const)
    test(`from ${one} to ${other} keeps the moment at which a record expires, but for what leases share`, async () => {
      const [from, to] = [fresh[one](), fresh[other]()];
      const begun = Date.now();
      await fillByHand(from);
      await copyStore(from, to, () => {});
      const at = (await expiryOf(to, key(201)))!;
      // A lease of etcd may be of use to others a minute longer; the test's own time comes on top.
      assert.ok(at >= begun + 5_000_000 - 2_000 && at <= Date.now() + 5_000_000 + 122_000, String(at - begun));
      assert.equal(await expiryOf(to, key(0)), undefined);
    });

  for (const kind of ['sqlite', 'redis', 'etcd'] as const)
    test(`reads the records of ${kind} in the order in which they were written`, async () => {
      const from = fresh[kind]();
      await fillByHand(from);
      await using image = await openImage(from, { closed: false });
      const revisions: number[] = [];
      for await (const { modRevision } of image.records()) revisions.push(modRevision);
      assert.equal(revisions.length, 112);
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
      );
    });

  for (const kind of ['sqlite', 'redis', 'etcd'] as const)
    test(`refuses a ${kind} store that is not empty, and changes nothing`, async () => {
      const [from, to] = [fresh.sqlite(), fresh[kind]()];
      await fillByHand(from);
      await using target = await openStore(to, {});
      await target.put(key(1), bytes('theirs'));
      await target.close();
      await assert.rejects(
        copyStore(from, to, () => {}),
        (err) => isKnownError(err, 'STORE_NOT_EMPTY') && err.hint !== undefined,
      );
      await using after = await openStore(to, {});
      assert.equal((await everything(after)).length, 1);
    });

  test('says so when the first store was written to meanwhile', async () => {
    const [from, to] = [fresh.redis(), fresh.sqlite()];
    await fillByHand(from);
    await using writer = await openStore(from, {});
    const writing = { stop: false };
    const busy = (async () => {
      while (!writing.stop) await writer.put(key(9), bytes('busy'));
    })();
    await assert.rejects(
      copyStore(from, to, () => {}),
      (err) => isKnownError(err, 'STORE_IN_USE'),
    );
    writing.stop = true;
    await busy;
  });

  test('does not mind what others write to the same etcd, and what expires there', async () => {
    const [from, to] = [fresh.etcd(), fresh.sqlite()];
    await using source = await openStore(from, {});
    for (const n of [0, 1]) await source.put(key(n), bytes(`${n}`));
    await source.put(key(2), bytes('gone soon'), { ttlSeconds: 5_000 });
    await using neighbour = await openStore(fresh.etcd(), {});
    await using before = await openImage(from, { closed: true });
    await neighbour.put(key(0), bytes('of another cluster'));
    for (const { ID } of (await etcd.ask('lease/leases')).leases as { ID: string }[]) await etcd.ask('lease/revoke', { ID });
    assert.ok(await before.isCurrent());
    await copyStore(from, to, () => {});
    await source.delete(key(0));
    assert.ok(!(await before.isCurrent()), 'one was deleted');
    await using later = await openImage(from, { closed: true });
    await source.put(key(1), bytes('second'));
    assert.ok(!(await later.isCurrent()), 'one was written');
  });

  for (const kind of ['sqlite', 'redis', 'etcd'] as const)
    test(`to ${kind} ends with its signal, and the next one is whole`, async () => {
      const [from, to] = [fresh.sqlite(), fresh[kind]()];
      await fillByHand(from);
      await using image = await openImage(from, { closed: false });
      const stop = new AbortController();
      let read = 0;
      const interrupted = {
        ...image,
        async *records() {
          for await (const record of image.records()) {
            if (++read === 20) stop.abort(new Error('ended by SIGINT'));
            yield record;
          }
        },
      };
      // There is nothing to wait for in etcd, whose revision need not be raised.
      const revision = kind === 'etcd' ? 1 : image.revision;
      await assert.rejects(fillStore(to, interrupted, revision, stop), /ended by SIGINT/);
      assert.equal(read, 20);
      await copyStore(from, to, () => {});
      await using target = await openStore(to, {});
      assert.equal((await everything(target)).length, 112);
    });

  test('to etcd ends with its signal before its revision is as high', async () => {
    const [from, to] = [fresh.sqlite(), fresh.etcd()];
    await fillByHand(from);
    const revision = async (): Promise<number> => {
      await using store = await openStore(to, {});
      return await store.revision();
    };
    await using image = await openImage(from, { closed: true });
    const before = await revision();
    await assert.rejects(fillStore(to, image, before + 500_000, { signal: AbortSignal.abort(new Error('ended by SIGINT')) }), /SIGINT/);
    assert.ok((await revision()) < before + 100);
  });

  for (const kind of ['sqlite', 'redis', 'etcd'] as const)
    test(`that was killed leaves no ${kind} store that a server takes for the whole, and the next copy fills it`, async () => {
      const [from, to] = [fresh.sqlite(), fresh[kind]()];
      await fillByHand(from);
      const child = spawn(process.execPath, [new URL('./testing/fill-child.ts', import.meta.url).pathname, to], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(createInterface({ input: child.stdout }), 'line');
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
      if (kind === 'sqlite') assert.ok(!existsSync(new URL(to).pathname));
      else {
        const halfFilled = { code: 'STORE_CORRUPT', message: /it was being filled, and that did not end/, hint: /again/ };
        await assert.rejects(openStore(to, {}), halfFilled);
        await assert.rejects(openImage(to, { closed: true }), halfFilled);
      }
      await copyStore(from, to, () => {});
      await using target = await openStore(to, {});
      assert.equal((await everything(target)).length, 112);
    });

  for (const kind of ['redis', 'etcd'] as const)
    for (const state of ['has ended', 'is under way'] as const)
      test(`to ${kind} is told that another one, which ${state}, has taken the store over, and writes and removes nothing there`, async () => {
        const to = fresh[kind]();
        const first = pausing('first');
        const filledFirst = fillStore(to, first.image, 1);
        await first.isHalf;
        const second = pausing('second');
        const filledSecond = fillStore(to, second.image, 1);
        await second.isHalf;
        if (state === 'has ended') {
          second.goOn();
          await filledSecond;
        }
        first.goOn();
        await assert.rejects(filledFirst, { code: 'STORE_IN_USE', message: /another copy or restore has taken it over$/ });
        second.goOn();
        await filledSecond;
        await using target = await openStore(to, {});
        assert.deepEqual(new Set((await everything(target)).map((record) => text(record.value))), new Set(['second']));
        assert.equal((await everything(target)).length, 1_200);
      });

  for (const kind of ['redis', 'etcd'] as const)
    test(`to ${kind} that fails after another one has taken the store over removes nothing of that one`, async () => {
      const to = fresh[kind]();
      const first = pausing('first');
      const filledFirst = fillStore(to, first.image, 1);
      await first.isHalf;
      await copyStore(await filledByHand(), to, () => {});
      first.goOn(new Error('the network is gone'));
      await assert.rejects(filledFirst, /the network is gone/);
      await using target = await openStore(to, {});
      assert.equal((await everything(target)).length, 112);
    });

  for (const kind of ['sqlite', 'redis', 'etcd'] as const)
    test(`to ${kind} that begins at the same moment as another one: one of them fills it, the other one is refused`, async () => {
      const to = fresh[kind]();
      await using image = await openImage(await filledByHand(), { closed: true });
      const results = await Promise.allSettled([1, 2, 3].map(() => fillStore(to, image, kind === 'etcd' ? 1 : image.revision)));
      const refusals = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as KnownError).code] : []));
      assert.equal(refusals.length, 2, String(refusals));
      for (const code of refusals) assert.match(code, /^STORE_(IN_USE|NOT_EMPTY)$/);
      await using target = await openStore(to, {});
      assert.equal((await everything(target)).length, 112);
    });

  test('to SQLite beside another one is refused', async () => {
    const to = fresh.sqlite();
    const first = pausing('first');
    const filledFirst = fillStore(to, first.image, 1);
    await first.isHalf;
    await assert.rejects(fillStore(to, pausing('second').image, 1), { code: 'STORE_IN_USE' });
    first.goOn();
    await filledFirst;
    await using target = await openStore(to, {});
    assert.equal((await everything(target)).length, 1_200);
  });

  test('that was interrupted leaves a Redis that no server takes, and that the next copy fills', async () => {
    const [from, to] = [fresh.sqlite(), fresh.redis()];
    await fillByHand(from);
    await using image = await openImage(from, { closed: false });
    const breaking = {
      ...image,
      async *records() {
        let n = 0;
        for await (const record of image.records()) {
          yield record;
          // More than is sent at once has gone out by then.
          if (++n === 100) for (let more = 0; more < 300; more++) yield { ...record, key: key(1_000 + more) };
        }
        throw new Error('the network is gone');
      },
    };
    await assert.rejects(fillStore(to, breaking, image.revision), /the network is gone/);
    await assert.rejects(openStore(to, {}), /it was being filled, and that did not end/);
    await copyStore(from, to, () => {});
    await using target = await openStore(to, {});
    assert.equal((await everything(target)).length, 112);
  });

  test('names what to do where the revision of etcd is too far below', async () => {
    const from = fresh.sqlite();
    await using store = await openSqliteStore(from.slice('sqlite://'.length));
    await store.put(key(1), bytes('x'));
    await store.close();
    await using image = await openImage(from, { closed: true });
    await assert.rejects(fillStore(fresh.etcd(), image, 2_000_000_000), {
      code: 'BAD_CONFIG',
      hint: /--bump-revision \d+ --mark-compacted/,
    });
  });
});
