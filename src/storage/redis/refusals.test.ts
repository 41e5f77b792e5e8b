import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import { openStore } from '../open.ts';
import { bytes } from '../testing/events.ts';
import { TestRedis } from '../testing/redis.ts';

let redis: TestRedis;
before(async () => {
  redis = await TestRedis.start();
});
after(() => redis[Symbol.asyncDispose]());

async function isRefused(url: string, code: string, why: RegExp, hint: RegExp): Promise<void> {
  await assert.rejects(openStore(url, {}), (err) => {
    assert.ok(isKnownError(err), String(err));
    assert.deepEqual([err.code, why.test(err.message), hint.test(err.hint ?? '')], [code, true, true], `${err.message}\n${err.hint}`);
    assert.match(err.message, /^Cannot open store "rediss?:\/\//);
    return true;
  });
}

/** [what, commands that make it so, options of the URL, why, hint] */
const unfit: readonly (readonly [string, readonly string[], string, RegExp, RegExp])[] = [
  ['evicts keys', ['CONFIG SET maxmemory-policy allkeys-lru'], '', /evicts keys .*allkeys-lru/, /maxmemory-policy noeviction/],
  ['does not write its log', ['CONFIG SET appendonly no'], '', /appendonly is off/, /appendonly yes/],
  ['syncs its log each second', ['CONFIG SET appendfsync everysec'], '', /appendfsync everysec/, /appendfsync always.*fsync=everysec/],
  ['never syncs its log', ['CONFIG SET appendfsync no'], '?fsync=everysec', /appendfsync no/, /appendfsync always/],
  ['is a replica', ['REPLICAOF 127.0.0.1 1'], '', /replica of 127.0.0.1:1/, /redis\+sentinel:\/\//],
  ['holds something else', ['SET a b'], '', /1 keys of something else/, /redis:\/\/HOST\/1/],
  ['has too few replicas', [], '?wait-replicas=1', /has 0 replicas/, /Start the replicas/],
];
const fit = ['REPLICAOF NO ONE', 'CONFIG SET maxmemory-policy noeviction', 'CONFIG SET appendonly yes', 'CONFIG SET appendfsync always'];

async function run(...commands: readonly string[]): Promise<void> {
  for (const command of commands) await redis.command(...(command.split(' ') as [string, ...string[]]));
}

describe('openStore() refuses a Redis that', () => {
  for (const [what, commands, options, why, hint] of unfit)
    test(what, async () => {
      await run('FLUSHALL', ...commands);
      try {
        await isRefused(`${redis.url}${options}`, 'BAD_CONFIG', why, hint);
      } finally {
        await run(...fit);
      }
    });

  test('holds another cluster, but not one that holds this one', async () => {
    await run('FLUSHALL');
    await (await openStore(`${redis.url}?cluster=one`, {})).close();
    await isRefused(`${redis.url}?cluster=two`, 'BAD_CONFIG', /holds the cluster "one", not "two"/, /cluster=one/);
    await (await openStore(`${redis.url}?cluster=one`, {})).close();
    await using other = await openStore(`redis://127.0.0.1:${redis.port}/1?cluster=two`, {});
    assert.ok((await other.put('/a', bytes('a'))).ok);
  });

  test('was made by a newer version', async () => {
    await run('FLUSHALL', 'HSET {fairlead}meta format 2');
    await isRefused(redis.url, 'STORE_CORRUPT', /format "2"/, /newer version/);
  });

  test('is not there', async () => {
    await isRefused('redis://127.0.0.1:1/0', 'STORE_UNAVAILABLE', /ECONNREFUSED/, /whether Redis runs/);
  });
});

describe('a user of Redis', () => {
  test('needs the right password, by the URL or by a file', async () => {
    await run('FLUSHALL', 'ACL SETUSER keeper on >secret ~* &* +@all');
    const address = `127.0.0.1:${redis.port}/0`;
    await isRefused(`redis://keeper:wrong@${address}`, 'BAD_CONFIG', /WRONGPASS/, /password-file/);
    await (await openStore(`redis://keeper:secret@${address}`, {})).close();
    const file = join(redis.dir, 'password');
    writeFileSync(file, 'secret\n', { mode: 0o600 });
    await (await openStore(`redis://keeper@${address}?password-file=${file}`, {})).close();
  });

  test('needs no more rights than the refusal names', async () => {
    await run('FLUSHALL', 'ACL SETUSER keeper reset on >secret ~* &* +@connection +info');
    const url = `redis://keeper:secret@127.0.0.1:${redis.port}/0`;
    await isRefused(url, 'BAD_CONFIG', /may not ask for its settings/, /config\|get/);
    await run('ACL SETUSER keeper +config|get');
    let rights = '';
    await assert.rejects(openStore(url, {}), (err) => {
      assert.ok(isKnownError(err, 'BAD_CONFIG') && /NOPERM/.test(err.message), String(err));
      rights = /ACL SETUSER NAME ([^"]+)"/.exec(err.hint ?? '')?.[1] ?? '';
      return true;
    });
    await run(`ACL SETUSER keeper resetkeys resetchannels nocommands ${rights}`);
    await using store = await openStore(url, {});
    assert.ok((await store.put('/a', bytes('a'), { ttlSeconds: 100 })).ok);
    assert.equal((await store.range('/', '0')).count, 1);
    await store.compact(1);
    assert.ok((await store.delete('/a')).ok);
  });
});

describe('over TLS', () => {
  test('the store trusts the authority that it is given, and shows its own certificate', async () => {
    const authority = await createAuthority('ca', Date.now());
    const stranger = await createAuthority('stranger', Date.now());
    const server = await issueCertificate(authority, { commonName: 'redis', ips: ['127.0.0.1'], usages: ['server'] }, Date.now());
    const client = await issueCertificate(authority, { commonName: 'fairlead', usages: ['client'] }, Date.now());
    const files = { ca: authority.certPem, stranger: stranger.certPem, cert: server.certPem, key: server.keyPem };
    const own = { 'client-cert': client.certPem, 'client-key': client.keyPem };
    const path = (name: string): string => join(redis.dir, `${name}.pem`);
    for (const [name, pem] of Object.entries({ ...files, ...own })) writeFileSync(path(name), pem, { mode: 0o600 });
    await using secure = await TestRedis.start({
      'tls-cert-file': path('cert'),
      'tls-key-file': path('key'),
      'tls-ca-cert-file': path('ca'),
    });
    const url = `rediss://127.0.0.1:${secure.port}/0`;
    const withOwn = `cert=${path('client-cert')}&key=${path('client-key')}`;
    await isRefused(`${url}?ca=${path('stranger')}&${withOwn}`, 'BAD_CONFIG', /certificate/, /\?ca=FILE/);
    // Whether the reason or the end of the connection is met first, is for the kernel to say.
    await assert.rejects(openStore(`${url}?ca=${path('ca')}`, {}), (err) => isKnownError(err) && /cert=FILE&key=FILE/.test(err.hint ?? ''));
    await isRefused(`redis://127.0.0.1:${secure.port}/0`, 'STORE_UNAVAILABLE', /Cannot open/, /rediss:\/\//);
    await using store = await openStore(`${url}?ca=${path('ca')}&${withOwn}`, {});
    assert.ok((await store.put('/a', bytes('a'))).ok);
  });
});
