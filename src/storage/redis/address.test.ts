import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { StoreUrl } from '../store-url.ts';
import { type RedisSettings, readRedisUrl } from './address.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-address-'));
after(() => rmSync(dir, { recursive: true }));

function fileOf(name: string, content: string): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

const read = (url: string): RedisSettings =>
  readRedisUrl(StoreUrl.parse(url, { redis: 'redis://a', rediss: 'rediss://a', 'redis+sentinel': 'x', 'rediss+sentinel': 'x' }));

describe('readRedisUrl()', () => {
  test('reads one address, with the port and the database that are usual', () => {
    const { connection, sentinels, ...rest } = read('redis://10.0.0.5');
    assert.deepEqual(connection, { host: '10.0.0.5', port: 6379, db: 0 });
    assert.equal(sentinels, undefined);
    assert.deepEqual(rest, {
      ...{
        shown: 'redis://10.0.0.5',
        cluster: 'kubernetes',
        everysec: false,
        waitReplicas: 0,
        maxLogEvents: 32_768,
        maxLogBytes: 64 << 20,
      },
      ...{ answerMs: 10_000, confirmMs: 10_000, patienceMs: 5_000, pauseMs: 50, lookMs: 10_000 },
    });
  });

  test('reads user, password, database and options', () => {
    const settings = read('redis://me:secret@a:1/3?wait-replicas=2&cluster=c&fsync=everysec&max-log-events=5&max-log-bytes=6');
    assert.deepEqual(settings.connection, { host: 'a', port: 1, db: 3, username: 'me', password: 'secret' });
    const { waitReplicas, cluster, everysec, maxLogEvents, maxLogBytes } = settings;
    assert.deepEqual([waitReplicas, cluster, everysec, maxLogEvents, maxLogBytes], [2, 'c', true, 5, 6]);
    assert.doesNotMatch(settings.shown, /secret/);
  });

  test('reads passwords from files without the end of their lines, and TLS from others', () => {
    const [password, ca] = [fileOf('password', 'from a file\n'), fileOf('ca', 'PEM')];
    const { connection } = read(`rediss://a?password-file=${password}&ca=${ca}&server-name=redis`);
    assert.deepEqual(connection, { host: 'a', port: 6379, db: 0, password: 'from a file', tls: { ca: 'PEM', servername: 'redis' } });
  });

  test('reads sentinels, which have a login of their own and the TLS of the servers', () => {
    const [own, ca] = [fileOf('sentinel', 'theirs\n'), fileOf('ca', 'PEM')];
    const { connection, sentinels, patienceMs } = read(
      `rediss+sentinel://a,b:1/mine/2?ca=${ca}&sentinel-user=watcher&sentinel-password-file=${own}`,
    );
    assert.deepEqual(connection, { db: 2, tls: { ca: 'PEM' } });
    const login = { username: 'watcher', password: 'theirs', tls: { ca: 'PEM' } };
    assert.deepEqual(sentinels, {
      name: 'mine',
      each: [
        { host: 'a', port: 26379, ...login },
        { host: 'b', port: 1, ...login },
      ],
    });
    assert.equal(patienceMs, 20_000, 'as long as sentinels take that split their votes twice');
    assert.deepEqual(read('redis+sentinel://a/mine').sentinels?.each, [{ host: 'a', port: 26379 }]);
  });

  for (const [what, url, why] of [
    ['another fsync', 'redis://a?fsync=no', /"no" is no kind of fsync/],
    ['several hosts without sentinels', 'redis://a,b', /does not name one host/],
    ['a database that is no number', 'redis://a/x', /no number of a database/],
    ['two databases', 'redis://a/1/2', /no number of a database/],
    ['sentinels without a name', 'redis+sentinel://a,b', /does not name the primary/],
    ['a database behind a name that is no number', 'redis+sentinel://a/mine/x', /no number of a database/],
    ['a file that is not there', 'rediss://a?ca=/no/such', /the file of ca cannot be read/],
  ] as const)
    test(`refuses ${what}`, () => assert.throws(() => read(url), why));
});
