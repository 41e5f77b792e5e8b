import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { MemoryStore } from '../../storage/memory/memory-store.ts';
import { badRequest, isStatusError } from '../status/status-error.ts';
import type { Change } from './object-store.ts';
import { ResourceBed } from './testing/resource-bed.ts';

type Map = KubeObject & { data?: Record<string, string> };

const map = (name: string, data: Record<string, string> = {}): Map =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data }) as Map;
const stored = { dryRun: false };
const put = (object: KubeObject): Change => ({ kind: 'put', object });
const setTo =
  (value: string) =>
  (current: KubeObject): Change => {
    (current as Map).data = { a: value };
    return put(current);
  };

async function withMap(store?: MemoryStore): Promise<ResourceBed> {
  const bed = await ResourceBed.start(store ? { store } : {});
  await bed.deps.objects.create(bed.row('configmaps'), map('a', { a: '1' }), stored);
  await bed.feed.fresh();
  return bed;
}

/** Writes behind the back of whoever changes the object, so that the cached copy is old. */
function interfere(bed: ResourceBed, value: string): Promise<unknown> {
  const { apiVersion, kind, metadata } = map('a');
  return bed.store.put('/registry/configmaps/default/a', Buffer.from(JSON.stringify({ apiVersion, kind, metadata, data: { a: value } })));
}

const change = (bed: ResourceBed, of: (current: KubeObject) => Change | Promise<Change>, dryRun = false) =>
  bed.deps.objects.change(bed.row('configmaps'), 'default', 'a', of, { dryRun });
const data = async (bed: ResourceBed): Promise<unknown> => ((await bed.stored('configmaps', 'a')) as Map | undefined)?.data;
const refused = (reason: string, why: RegExp) => (err: unknown) => isStatusError(err, reason) && why.test(err.message);

describe('create()', () => {
  test('stores an object once', async () => {
    await using bed = await withMap();
    const row = bed.row('configmaps');
    for (const dryRun of [false, true])
      await assert.rejects(bed.deps.objects.create(row, map('a'), { dryRun }), refused('AlreadyExists', /^configmaps "a" already exists$/));
    const dry = await bed.deps.objects.create(row, map('b'), { dryRun: true });
    assert.deepEqual([dry.revision, dry.object.metadata.name, await bed.stored('configmaps', 'b')], [0, 'b', undefined]);
    assert.equal((await bed.deps.objects.create(row, map('b'), stored)).revision, 2);
  });

  test('lets Events go after an hour', async () => {
    await using bed = await ResourceBed.start();
    const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' } } as KubeObject;
    await bed.deps.objects.create(bed.row('events'), event, stored);
    await bed.clock.advance(3_599_000);
    assert.ok(await bed.stored('events', 'e'));
    await bed.clock.advance(1_000);
    assert.equal(await bed.stored('events', 'e'), undefined);
  });

  test('stores what another version shows', async () => {
    await using bed = await ResourceBed.start();
    const row = bed.row('events', 'events.k8s.io');
    const event = { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' }, note: 'n' } as KubeObject;
    await bed.deps.objects.create(row, event, stored);
    assert.deepEqual(((await bed.stored('events', 'e')) as KubeObject & { message?: string }).message, 'n');
  });

  test('refuses more than a megabyte and a half, and more values than a body may have', async () => {
    await using bed = await ResourceBed.start();
    const row = bed.row('configmaps');
    const limit = 1_536 * 1024;
    const empty = JSON.stringify(map('b', { a: '' })).length;
    await bed.deps.objects.create(row, map('b', { a: 'x'.repeat(limit - empty) }), stored);
    await assert.rejects(
      bed.deps.objects.create(row, map('b', { a: 'x'.repeat(limit - empty + 1) }), stored),
      refused('RequestEntityTooLarge', new RegExp(`^ConfigMap "b" is too large: ${limit + 1} bytes, the limit is ${limit}$`)),
    );
    const many = { ...map('c'), data: Array.from({ length: 50_001 }, () => 1) } as unknown as KubeObject;
    await assert.rejects(bed.deps.objects.create(row, many, stored), refused('RequestEntityTooLarge', /ConfigMap "c" has too many values/));
  });
});

describe('change()', () => {
  test('stores what the change makes of the object', async () => {
    await using bed = await withMap();
    const changed = await change(bed, setTo('2'));
    assert.deepEqual([changed.deleted, changed.object.revision, await data(bed)], [false, 2, { a: '2' }]);
  });

  test('writes nothing where nothing is new, in whatever order the fields stand', async () => {
    await using bed = await withMap();
    for (const of of [
      setTo('1'),
      (current: KubeObject): Change => put({ data: (current as Map).data, ...current } as KubeObject),
      (): Change => ({ kind: 'keep' }),
    ]) {
      const changed = await change(bed, of);
      assert.deepEqual([changed.deleted, changed.object.revision], [false, 1]);
    }
    assert.equal(await bed.store.revision(), 1);
    const reordered = await change(bed, (current) => put({ ...current, metadata: { namespace: 'default', name: 'a' } }));
    assert.equal(reordered.object.revision, 1);
  });

  test('sees a change of equal length', async () => {
    await using bed = await withMap();
    assert.equal((await change(bed, setTo('9'))).object.revision, 2);
  });

  test('removes the object, and shows it as it last was, of the revision of its removal', async () => {
    await using bed = await withMap();
    const { deleted, object } = await change(bed, () => ({ kind: 'delete' }));
    assert.deepEqual([deleted, object.revision, object.object.metadata.resourceVersion], [true, 2, '2']);
    assert.equal(await data(bed), undefined);
  });

  test('stores nothing in a dry run, and shows what would be', async () => {
    await using bed = await withMap();
    const dry = await change(bed, setTo('2'), true);
    assert.deepEqual([dry.deleted, dry.object.revision, (dry.object.object as unknown as Map).data], [false, 1, { a: '2' }]);
    assert.equal(dry.object.object.metadata.resourceVersion, '1');
    assert.equal((await change(bed, () => ({ kind: 'delete' }), true)).deleted, true);
    assert.deepEqual([await data(bed), await bed.store.revision()], [{ a: '1' }, 1]);
  });

  test('makes its change of what is really stored where the cached copy is old', async () => {
    await using bed = await withMap();
    await interfere(bed, '5');
    const seen: unknown[] = [];
    await change(bed, (current) => {
      seen.push((current as Map).data?.a);
      return setTo(`${(current as Map).data?.a}+`)(current);
    });
    assert.deepEqual([seen, await data(bed)], [['1', '5'], { a: '5+' }]);
  });

  test('removes what is really stored, too', async () => {
    await using bed = await withMap();
    await interfere(bed, '5');
    const { object } = await change(bed, () => ({ kind: 'delete' }));
    assert.deepEqual((object.object as unknown as Map).data, { a: '5' });
  });

  test('refuses by what is stored, not by an old copy', async () => {
    await using bed = await withMap();
    await interfere(bed, '5');
    const tries: unknown[] = [];
    await change(bed, (current) => {
      tries.push((current as Map).data?.a);
      if (tries.length === 1) throw badRequest('of the old copy');
      return setTo('6')(current);
    });
    assert.deepEqual([tries, await data(bed)], [['1', '5'], { a: '6' }]);
  });

  test('refuses once what is stored is what was refused, and breaks at once', async () => {
    await using bed = await withMap();
    for (const err of [badRequest('no'), new Error('broken')]) {
      let tries = 0;
      const failing = change(bed, () => {
        tries++;
        throw err;
      });
      await assert.rejects(failing, err);
      assert.equal(tries, 1);
    }
  });

  test('is 404 where there is nothing, and where the object has gone meanwhile', async () => {
    await using bed = await withMap();
    const none = bed.deps.objects.change(bed.row('configmaps'), 'default', 'no', () => ({ kind: 'keep' }), stored);
    await assert.rejects(none, refused('NotFound', /^configmaps "no" not found$/));
    await bed.store.delete('/registry/configmaps/default/a');
    await assert.rejects(change(bed, setTo('2')), refused('NotFound', /"a" not found/));
  });

  test('finds what the cache has not seen yet', async () => {
    await using bed = await ResourceBed.start();
    await interfere(bed, '1');
    await change(bed, setTo('2'));
    assert.deepEqual(await data(bed), { a: '2' });
  });

  test('gives up when others are always faster', async () => {
    await using bed = await withMap();
    let tries = 0;
    const losing = change(bed, async (current) => {
      await interfere(bed, `other ${tries++}`);
      return setTo('mine')(current);
    });
    await assert.rejects(losing, refused('Conflict', /is changed by others all the time/));
    assert.equal(tries, 30);
  });
});

describe('keys', () => {
  test('have the namespace where the resource has one', async () => {
    await using bed = await ResourceBed.start();
    const { objects } = bed.deps;
    const maps = bed.row('configmaps');
    assert.deepEqual(
      [objects.key(maps, 'shop', 'a'), objects.prefix(maps, 'shop'), objects.prefix(maps, '')],
      ['/registry/configmaps/shop/a', '/registry/configmaps/shop/', '/registry/configmaps/'],
    );
    bed.feed.add('nodes');
    assert.equal(objects.key(bed.row('nodes'), 'ignored', 'n1'), '/registry/nodes/n1');
  });

  test('are refused for what is never stored, and for what is served no more', async () => {
    await using bed = await ResourceBed.start();
    const { objects } = bed.deps;
    assert.throws(
      () => objects.cache(bed.row('selfsubjectreviews', 'authentication.k8s.io')),
      (err) => isStatusError(err, 'MethodNotAllowed'),
    );
    bed.feed.drop('configmaps');
    assert.throws(
      () => objects.cache(bed.row('configmaps')),
      (err) => isStatusError(err, 'NotFound'),
    );
  });
});

test('get() and lookup() find what was written before', async () => {
  await using bed = await ResourceBed.start();
  const { objects } = bed.deps;
  const row = bed.row('configmaps');
  for (const read of ['get', 'lookup'] as const) {
    await objects.create(row, map(read), stored);
    assert.equal((await objects[read](row, 'default', read))?.object.metadata.name, read);
    assert.equal(await objects[read](row, 'default', 'no'), undefined);
  }
});
