import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../clock/testing/eventually.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openDatabase, openImage, openStore } from '../open.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { bytes, line, take, text } from '../testing/events.ts';

function refuses(code: string, message: RegExp, hint: RegExp): (err: unknown) => boolean {
  return (err) => {
    assert.ok(isKnownError(err), String(err));
    assert.equal(err.code, code, err.message);
    assert.match(err.message, message);
    assert.match(err.hint ?? '', hint);
    return true;
  };
}

describe('a store in an etcd with TLS', () => {
  let etcd: TestEtcd;
  before(async () => {
    etcd = await TestEtcd.start({ tls: true });
  });
  after(() => etcd[Symbol.asyncDispose]());

  test('opens with a certificate that etcd accepts', async () => {
    await using store = await openStore(etcd.url(), {});
    await store.put('/registry/a', bytes('1'));
    assert.equal(text((await store.get('/registry/a'))?.value), '1');
  });

  const refused: Readonly<Record<string, readonly [url: () => string, code: string, message: RegExp, hint: RegExp]>> = {
    'with the authority of somebody else': [() => etcd.url({ ca: 'other-ca' }), 'BAD_CONFIG', /self.signed|unable to/, /by ca-file/],
    'without a certificate of its own': [() => etcd.url({ client: '' }), 'BAD_CONFIG', /certificate/, /cert-file and key-file/],
    'with a certificate of another authority': [
      () => etcd.url({ client: 'stranger' }),
      'BAD_CONFIG',
      /certificate|unknown ca/,
      /cert-file and key-file/,
    ],
    'under a name that is not in the certificate': [
      () => etcd.url().replaceAll('127.0.0.1', 'localhost'),
      'BAD_CONFIG',
      /localhost/,
      /for another name/,
    ],
    'without TLS': [() => `etcd=${etcd.endpoints[0]!.replace('https', 'http')}`, 'STORE_UNAVAILABLE', /Cannot open store/, /https/],
  };
  for (const [how, [url, code, message, hint]] of Object.entries(refused))
    test(`is refused ${how}, and says what to do`, () => assert.rejects(openStore(url(), {}), refuses(code, message, hint)));

  test('is refused to a user that may only read', async () => {
    await etcd.ask('auth/user/add', { name: 'root', password: 'x' });
    await etcd.ask('auth/user/grant', { user: 'root', role: 'root' });
    await etcd.ask('auth/user/add', { name: 'reader', password: 'x' });
    await etcd.ask('auth/role/add', { name: 'reading' });
    const everything = { permType: 'READ', key: Buffer.from('\0').toString('base64'), range_end: Buffer.from('\0').toString('base64') };
    await etcd.ask('auth/role/grant', { name: 'reading', perm: everything });
    await etcd.ask('auth/user/grant', { user: 'reader', role: 'reading' });
    await etcd.ask('auth/enable');
    await assert.rejects(openStore(etcd.url({ client: 'reader' }), {}), refuses('STORE_READ_ONLY', /permission denied/, /readwrite/));
    await using store = await openStore(etcd.url(), {});
    assert.equal(text((await store.get('/registry/a'))?.value), '1');
  });
});

describe('a user of etcd', () => {
  const base64 = (key: string): string => Buffer.from(key).toString('base64');
  /** The rights of the role that the README tells, by its own lines. */
  const told = [
    ...readFileSync(new URL('README.md', import.meta.url), 'utf8').matchAll(/grant-permission fairlead readwrite (\S+)(?: (\S+))?$/gm),
  ].map(([, from = '', to]) => [from, to] as const);
  let etcd: TestEtcd;
  before(async () => {
    etcd = await TestEtcd.start({ tls: true });
    const addUser = async (user: string, role: string): Promise<void> => {
      await etcd.ask('auth/user/add', { name: user, password: 'x' });
      await etcd.ask('auth/user/grant', { user, role });
    };
    const addRole = async (name: string, rights: readonly (readonly [string, string | undefined])[]): Promise<void> => {
      await etcd.ask('auth/role/add', { name });
      for (const [from, to] of rights)
        await etcd.ask('auth/role/grant', {
          name,
          perm: { permType: 'READWRITE', key: base64(from), ...(to ? { range_end: base64(to) } : {}) },
        });
    };
    await addRole('fairlead', told);
    await addRole('objects', [
      ['/registry/', '/registry0'],
      ['compact_rev_key', undefined],
    ]);
    await addUser('root', 'root');
    await addUser('reader', 'fairlead');
    await addUser('objects', 'objects');
    await etcd.ask('auth/enable');
  });
  after(() => etcd[Symbol.asyncDispose]());

  test('who may do what the README tells, and nothing else, may do all that a server does', async () => {
    assert.equal(told.length, 2);
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, warn: (said: string) => void warnings.push(said), error() {}, child: () => log };
    await using store = await openStore(etcd.url({ client: 'reader', options: 'compaction-interval=1' }), { log });
    const first = await store.put('/registry/a', bytes('1'));
    assert.ok(first.ok);
    await store.put('/registry/b', bytes('2'), { ttlSeconds: 1_000, alongside: [{ key: '/registry/c', value: bytes('3') }] });
    assert.ok((await store.delete('/registry/a', { ifRevision: first.record.modRevision })).ok);
    assert.deepEqual(
      (await store.range('/registry/', '/registry0')).records.map(({ key }) => key),
      ['/registry/b', '/registry/c'],
    );
    const revision = await store.revision();
    const options = { signal: AbortSignal.timeout(120_000), until: revision };
    const past: string[] = [];
    for await (const batch of store.watch('/registry/', '/registry0', first.record.modRevision, options))
      past.push(...batch.map((event) => line(event)));
    assert.deepEqual(
      past.map((one) => one.split(' ')[1]),
      ['put', 'put', 'put', 'delete'],
    );
    // By its own rounds, each of which reads and writes compact_rev_key.
    const forgotten = async (): Promise<boolean> =>
      take(store, '/registry/', '/registry0', first.record.modRevision, 1).then(
        () => false,
        (err) => isKnownError(err, 'STORE_COMPACTED'),
      );
    await eventually('a compaction', forgotten);
    await etcd.kill();
    await etcd.start();
    await eventually('what it knows to be looked for', () => store.get('/registry/b'));
    assert.deepEqual(
      warnings.filter((said) => !said.includes('cannot compact')),
      [],
    );
  });

  test("who may do what the README tells may read all for a portable snapshot, and not etcd's own", async () => {
    const url = etcd.url({ client: 'reader' });
    await using image = await openImage(url, { closed: false });
    const keys: string[] = [];
    for await (const { key } of image.records()) keys.push(key);
    assert.deepEqual(keys.toSorted(), ['/registry/b', '/registry/c']);
    assert.ok(await image.isCurrent());
    const readOwn = async (): Promise<void> => {
      for await (const _ of (await openDatabase(url)) ?? []) assert.fail('a piece of it');
    };
    await assert.rejects(readOwn(), refuses('STORE_READ_ONLY', /permission denied/, /role/));
  });

  test('who may do nothing but with the objects is refused, and told what is missing', () =>
    assert.rejects(
      openStore(etcd.url({ client: 'objects' }), {}),
      refuses('STORE_READ_ONLY', /permission denied/, /readwrite \/registry\. \/registry0.*readwrite compact_rev_key/),
    ));
});

describe('a store in etcd', () => {
  test('is refused when its endpoints are of two clusters', async () => {
    await using first = await TestEtcd.start();
    await using second = await TestEtcd.start();
    const url = `etcd=${[...first.endpoints, ...second.endpoints].join(',')}`;
    await assert.rejects(openStore(url, {}), refuses('BAD_CONFIG', /belongs to another cluster/, /etcdctl member list/));
  });

  test('is refused when another API server keeps its objects there as protobuf', async () => {
    await using etcd = await TestEtcd.start();
    const put = (key: string, value: string): Promise<unknown> =>
      etcd.ask('kv/put', { key: Buffer.from(key).toString('base64'), value: Buffer.from(value).toString('base64') });
    await put('/registry/namespaces/default', 'k8s\0\n\x0f');
    await assert.rejects(openStore(etcd.url(), {}), refuses('BAD_CONFIG', /as protobuf/, /--storage-media-type/));
    await (await openStore(etcd.url({ options: 'prefix=/other' }), {})).close();
  });

  test('says that a value is too large, and changes nothing', async () => {
    await using etcd = await TestEtcd.start();
    await using store = await openStore(etcd.url(), {});
    const revision = await store.revision();
    await assert.rejects(
      store.put('/registry/a', new Uint8Array(2 << 20)),
      refuses('STORE_TOO_BIG', /too large|larger than max/, /--max-request-bytes/),
    );
    await assert.rejects(
      store.put('/registry/a', new Uint8Array(20 << 20)),
      refuses('STORE_TOO_BIG', /too large|larger than max/, /--max-request-bytes/),
    );
    assert.equal(await store.revision(), revision);
  });

  test('says that etcd is full, still deletes, opens, and writes again when there is room', async () => {
    await using etcd = await TestEtcd.start({ args: ['--quota-backend-bytes=4000000'] });
    await using store = await openStore(etcd.url(), {});
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await store.put(`/registry/a/${i}`, new Uint8Array(200_000));
    };
    await assert.rejects(fill(), refuses('STORE_FULL', /space exceeded/, /etcdctl alarm disarm/));
    // etcd raises the alarm after it has refused.
    const alarms = async (): Promise<{ memberID: string }[]> =>
      ((await etcd.ask('maintenance/alarm')).alarms ?? []) as { memberID: string }[];
    while ((await alarms()).length === 0) await sleep(10);
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, warn: (said: string) => void warnings.push(said), error() {}, child: () => log };
    await using second = await openStore(etcd.url(), { log });
    assert.match(warnings.join(), /etcd is full/);
    const { records } = await second.range('/registry/a/', '/registry/a0');
    for (const { key } of records) assert.ok((await second.delete(key)).ok);
    const past: string[] = [];
    const revision = await second.revision();
    for await (const batch of second.watch('/registry/', '/registry0', revision - 1, {
      signal: AbortSignal.timeout(120_000),
      until: revision,
    }))
      past.push(...batch.map(({ kind }) => kind));
    assert.deepEqual(past, ['delete', 'delete'], 'a watch comes to its end on a full etcd, too');
    await second.compact(revision);
    // etcd frees the room of what it compacted by and by.
    do {
      await etcd.ask('maintenance/defragment');
      for (const { memberID } of await alarms()) await etcd.ask('maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE', memberID });
    } while ((await store.put('/registry/a', bytes('1')).catch(() => undefined)) === undefined);
    assert.equal(text((await second.get('/registry/a'))?.value), '1');
  });
});
