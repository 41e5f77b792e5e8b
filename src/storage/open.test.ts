import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { withoutPassword } from '../errors/without-password.ts';
import { checkStoreUrl, openStore } from './open.ts';
import { Compacted, type Store } from './store.ts';
import { bytes, take, text } from './testing/events.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead open '));
after(() => rmSync(dir, { recursive: true }));

const refused: Readonly<Record<string, readonly [url: string, why: RegExp, hint: RegExp]>> = {
  'a scheme that no backend has': ['etcd://127.0.0.1:2379', /"etcd:" is no kind of store/, /"sqlite:\/\/\/.*" or "memory:"/],
  'etcd without TLS and with a certificate': [
    'etcd=http://h:2379?ca-file=/x',
    /option "ca-file", but its endpoints do not speak TLS/,
    /https:/,
  ],
  'etcd with a file that is not there': [
    'etcd=https://h?ca-file=/no/such.crt',
    /its ca-file cannot be read: ENOENT/,
    /Give a PEM file as ca-file=/,
  ],
  'etcd with a certificate and no key': [
    `etcd=https://h?cert-file=${import.meta.filename}`,
    /one of cert-file and key-file/,
    /both or none/,
  ],
  'etcd with a user': ['etcd=https://root:pw@h', /has a user, and etcd knows this one by its certificate/, /cert-file=FILE&key-file=FILE/],
  'etcd with a path': ['etcd=http://h:2379/registry', /it has a path/, /\?prefix=\/NAME/],
  'etcd with a prefix that is none': ['etcd=http://h:2379?prefix=a b', /"a b" is no prefix/, /prefix=\/registry/],
  'etcd with and without TLS': ['etcd=https://a:2379,http://b:2379', /it is no URL/, /"etcd=https:/],
  'an option that etcd lacks': [
    'etcd=http://h?cafile=1',
    /no option "cafile"/,
    /ca-file, cert-file, key-file, prefix, compaction-interval/,
  ],
  'a path alone': ['/var/lib/state.db', /it is no URL/, /sqlite:\/\/\//],
  'an empty text': ['', /it is no URL/, /sqlite:\/\/\//],
  'SQLite without a file': ['sqlite:', /it does not name a file/, /sqlite:\/\/\/var/],
  'SQLite in a folder': ['sqlite:///var/lib/', /it does not name a file/, /sqlite:\/\/\/var/],
  'SQLite by a relative path': ['sqlite:state.db', /it does not name a file/, /sqlite:\/\/\/var/],
  'SQLite with two slashes': ['sqlite://var/lib/state.db', /it names the host "var"/, /sqlite:\/\/\/var/],
  'an option that SQLite lacks': ['sqlite:///x/s.db?cache=1', /no option "cache"/, /reserve-bytes, max-log-events, max-log-bytes/],
  'an option that is no number': ['sqlite:///x/s.db?reserve-bytes=32M', /"32M" is no whole number/, /reserve-bytes=1000/],
  'an option that is negative': ['memory:?max-events=-1', /"-1" is no whole number/, /max-events=1000/],
  'an option that memory lacks': ['memory:?reserve-bytes=1', /no option "reserve-bytes"/, /Its options are max-events/],
  'memory with a path': ['memory:///x', /it has a path/, /"memory:"/],
  'Redis without a host': ['redis:', /it does not name one host/, /"redis:\/\/127/],
  'Redis with two hosts': ['redis://a,b:6380/0', /"redis:\/\/a,b:6380\/0": it does not name one host/, /"redis:\/\/127/],
  'Redis with a path that is no number': ['redis://a/default', /its path is no number of a database/, /"redis:\/\/127/],
  'another fsync of Redis than it has': ['redis://a?fsync=no', /"no" is no kind of fsync/, /fsync=everysec/],
  'a file that is missing': ['rediss://a?ca=/nowhere/ca.pem', /the file of ca cannot be read: ENOENT/, /ca=\//],
  'sentinels without a name': ['redis+sentinel://a,b:26380', /does not name the primary/, /HOST,HOST,HOST\/mymaster/],
  'memory with a host': ['memory://x', /it has a path/, /"memory:"/],
};

describe('openStore()', () => {
  for (const [what, [url, why, hint]] of Object.entries(refused)) {
    test(`refuses ${what}, and says what to give`, async () => {
      await assert.rejects(openStore(url, {}), (err) => {
        assert.ok(isKnownError(err, 'BAD_CONFIG'));
        assert.match(err.message, /^Cannot open store ".*": /);
        assert.match(err.message, why);
        assert.match(err.hint ?? '', hint);
        return true;
      });
    });
  }

  test('takes no URL that checkStoreUrl() does not take, which opens nothing', async () => {
    for (const [url] of Object.values(refused)) await assert.rejects(checkStoreUrl(url), { code: 'BAD_CONFIG' }, url);
    const path = join(dir, 'never.db');
    for (const url of ['memory:', `sqlite://${encodeURI(path)}`, 'etcd=http://127.0.0.1:1', 'redis://127.0.0.1:1/0'])
      await checkStoreUrl(url);
    assert.equal(existsSync(path), false);
  });

  test('shows every endpoint of an etcd that does not answer', async () => {
    await assert.rejects(openStore('etcd=http://127.0.0.1:1,http://127.0.0.1:2', {}), (err) => {
      assert.ok(isKnownError(err, 'STORE_UNAVAILABLE'));
      assert.match(err.message, /^Cannot open store "etcd=http:\/\/127.0.0.1:1,127.0.0.1:2": .*ECONNREFUSED/);
      assert.match(err.hint ?? '', /whether etcd runs/);
      return true;
    });
  });

  test('shows no password', async () => {
    const secret = (err: unknown): boolean =>
      isKnownError(err, 'BAD_CONFIG') && !err.message.includes('hunter2') && err.message.includes('://');
    const urls = ['other://:hunter2@127.0.0.1:6379', 'redis://me:hunter2@a,b/0', 'redis://me:hunter2@a:999999/0', 'redis://:hunter2@a/x'];
    for (const url of urls) await assert.rejects(openStore(url, {}), secret);
    for (const url of [...urls, 'redis+sentinel://:hunter2:hunter2@a:1,b:2/main', 'redis:hunter2@a']) {
      assert.doesNotMatch(withoutPassword(url), /hunter2/);
      assert.match(withoutPassword(url), /:\*\*\*@/);
    }
    for (const url of ['sqlite:///var/lib/a@b.db', 'etcd=https://a:2379,https://b:2379?ca-file=/a:b@c'])
      assert.equal(withoutPassword(url), url);
  });

  test('keeps a file where the URL says, with the reserve and the log that it says', async () => {
    const path = join(dir, 'a folder', 'state.db');
    const url = `sqlite://${encodeURI(path)}?reserve-bytes=0&max-log-events=10`;
    const value = async (store: Store): Promise<string | undefined> => text((await store.get('/k/0'))?.value);
    await using first = await openStore(url, {});
    for (let i = 0; i < 400; i++) await first.put(`/k/${i}`, bytes(`${i}`));
    await first.close();
    assert.equal(existsSync(`${path}-reserve`), false);
    await using second = await openStore(`sqlite://${encodeURI(path)}`, {});
    assert.equal(await value(second), '0');
    assert.equal(existsSync(`${path}-reserve`), true);
    await assert.rejects(take(second, '/', '0', 1, 1), (err) => err instanceof Compacted && err.floor > 100);
  });

  test('keeps in memory as many events as the URL says', async () => {
    await using store = await openStore('memory:?max-events=2', {});
    for (let i = 0; i < 3; i++) await store.put('/a', bytes(`${i}`));
    await assert.rejects(take(store, '/', '0', 1, 1), (err) => err instanceof Compacted && err.floor === 1);
  });
});
