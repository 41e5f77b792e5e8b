import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { systemClock } from '../../clock/clock.ts';
import { eventually } from '../../clock/testing/eventually.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openStore } from '../open.ts';
import { type Answers, FakeEtcd } from '../testing/fake-etcd.ts';
import { FaultyProxy } from '../testing/faulty-proxy.ts';
import { Endpoints } from './endpoints.ts';

const header = { clusterId: 1, memberId: 1, revision: 5, raftTerm: 2 };

function member(answers: Answers = {}, version = '3.5.9'): Promise<FakeEtcd> {
  return FakeEtcd.start({
    Status: () => ({ header, version, leader: 1, errors: [] }),
    Range: () => ({ header, kvs: [], count: 0 }),
    ...answers,
  });
}

describe('an etcd', () => {
  for (const version of ['2.3.8', '3.3.27', '4.0.0', ''])
    test(`of version "${version}" is refused at the start`, async () => {
      await using etcd = await member({}, version);
      await assert.rejects(openStore(`etcd=${etcd.url}`, {}), (err) => {
        assert.ok(isKnownError(err, 'BAD_CONFIG'), String(err));
        assert.equal(err.message, `Cannot use the etcd at "${etcd.url}": it is of version ${version}`);
        assert.match(err.hint ?? '', /3\.4 or later/);
        return true;
      });
    });

  for (const version of ['3.4.0', '3.5.9', '3.10.1'])
    test(`of version "${version}" is used`, async () => {
      await using etcd = await member({}, version);
      const endpoints = new Endpoints([etcd.url], undefined, systemClock);
      await endpoints.examineAll();
      assert.equal((await endpoints.call('Range', { key: '/a' })).response.header?.revision, 5);
      endpoints.close();
    });
});

// 3.4 says it by the first of these.
for (const code of [status.UNAVAILABLE, status.FAILED_PRECONDITION])
  test(`a learner, which takes no calls, is passed over: ${status[code]}`, async () => {
    const learns = (): never => {
      throw Object.assign(new Error(), { code, details: 'etcdserver: rpc not supported for learner' });
    };
    await using learner = await member({ Range: learns, Txn: learns });
    await using voter = await member({ Txn: () => ({ header, succeeded: true, responses: [] }) });
    const endpoints = new Endpoints([learner.url, voter.url], undefined, systemClock);
    const { doubtful } = await endpoints.call('Txn', { success: [] }, 'unsent');
    assert.equal(doubtful, false);
    assert.equal((await endpoints.call('Range', { key: '/a' })).response.header?.revision, 5);
    endpoints.close();
  });

test('an etcd whose revision went back in a read or a write is believed nothing any more, and that is told once', async () => {
  let revision = 9;
  let asked = 0;
  await using etcd = await member({
    Range: () => {
      asked++;
      return { header: { ...header, revision }, kvs: [], count: 0 };
    },
    LeaseGrant: () => ({ header: { ...header, revision: 1 }, id: 1, ttl: 1 }),
  });
  const endpoints = new Endpoints([etcd.url], undefined, systemClock);
  const told: unknown[] = [];
  endpoints.onSetBack = (why) => told.push(why);
  const read = (): Promise<unknown> => endpoints.call('Range', { key: '/a' });
  await read();
  // What a member says of itself may be late: the state that it was asked for first, a lease.
  await endpoints.call('LeaseGrant', { ttl: 1 });
  await read();
  assert.deepEqual([endpoints.revision, endpoints.setBack], [9, undefined]);
  revision = 8;
  const refused = { code: 'STORE_CORRUPT', message: `Cannot use the etcd at "${etcd.url}": its revision went back from 9 to 8` };
  await Promise.all([assert.rejects(read, refused), assert.rejects(read, refused)]);
  revision = 10;
  const before = asked;
  await assert.rejects(read, refused);
  assert.deepEqual(told, [endpoints.setBack]);
  assert.equal(asked, before, 'nothing is sent any more');
  endpoints.close();
});

test('a member that was made anew is passed over, and when most of them were nothing is believed any more', async () => {
  const anew = new Set<number>();
  const members = await Promise.all(
    [0, 1, 2].map((i) =>
      member({
        Status: () => ({ header: { ...header, clusterId: anew.has(i) ? 2 : 1 }, version: '3.5.9', leader: 1, errors: [] }),
        Range: () => ({ header, kvs: [], count: i }),
      }),
    ),
  );
  const endpoints = new Endpoints(
    members.map(({ url }) => url),
    undefined,
    systemClock,
  );
  await endpoints.examineAll();
  const answering = async (): Promise<number> => (await endpoints.call('Range', { key: '/a' })).response.count;
  assert.equal(await answering(), 0);
  anew.add(0);
  for (const { url } of members) endpoints.failed(url);
  assert.equal(await answering(), 1);
  anew.add(1);
  for (const { url } of [members[1]!, members[2]!]) endpoints.failed(url);
  await assert.rejects(answering, { code: 'STORE_CORRUPT', message: /another cluster has taken the place of the one before$/ });
  await assert.rejects(endpoints.openWatchStream(), endpoints.setBack);
  endpoints.close();
  await Promise.all(members.map((one) => one[Symbol.asyncDispose]()));
});

test('the newest write is looked for once on each connection, before anything else is sent on it', async () => {
  const asked: string[] = [];
  const answers: Answers = {
    Txn: () => ({ header, succeeded: true, responses: [] }),
    Range: ({ key, revision }) => {
      asked.push(`${key}${revision ? `@${revision}` : ''}`);
      const held = { key: '/a', createRevision: 5, modRevision: 5, version: 1, value: Buffer.from('x'), lease: 0 };
      return { header, kvs: key === '/a' ? [held] : [], count: 1 };
    },
  };
  const first = await member(answers);
  await using proxy = await FaultyProxy.start(Number(new URL(first.url).port));
  const endpoints = new Endpoints([`http://127.0.0.1:${proxy.port}`], undefined, systemClock);
  await endpoints.call('Txn', { success: [{ requestPut: { key: '/a', value: Buffer.from('x') } }] });
  for (let i = 0; i < 3; i++) await endpoints.call('Range', { key: '/b' });
  assert.deepEqual(asked.splice(0), ['/b', '/b', '/b']);
  proxy.endAll();
  await eventually('a new connection', () => endpoints.call('Range', { key: '/b' }));
  await endpoints.call('Range', { key: '/c' });
  assert.deepEqual(asked, ['/a@5', '/b', '/c']);
  endpoints.close();
  await first[Symbol.asyncDispose]();
});

test('whether the member of this machine is well again is asked by a key that this user may read', async () => {
  const asked: string[] = [];
  const home = await member({
    Range: ({ key }) => {
      asked.push(key ?? '');
      return { header, kvs: [], count: 0 };
    },
  });
  const other = await member();
  const endpoints = new Endpoints([home.url, other.url], undefined, systemClock, { home: 0, probe: '/registry.fairlead' });
  await endpoints.examineAll();
  endpoints.failed(home.url);
  await endpoints.call('Range', { key: '/a' });
  await eventually('the look', () => asked.length > 0);
  assert.deepEqual(asked, ['/registry.fairlead']);
  endpoints.close();
  for (const one of [home, other]) await one[Symbol.asyncDispose]();
});

test('a member that was refused for a while is asked again', async () => {
  let version = '3.3.0';
  await using etcd = await FakeEtcd.start({
    Status: () => ({ header, version, leader: 1, errors: [] }),
    Range: () => ({ header, kvs: [], count: 0 }),
  });
  const endpoints = new Endpoints([etcd.url], undefined, systemClock);
  const read = (): Promise<unknown> => endpoints.call('Range', { key: '/a' });
  await assert.rejects(read, { code: 'BAD_CONFIG' });
  version = '3.5.9';
  await read();
  endpoints.close();
});

test('an answer that came by a connection that nobody had looked at counts only when the etcd behind it is the same', async () => {
  for (const isSame of [true, false]) {
    await using etcd = await member({ Txn: () => ({ header: { ...header, revision: 9 }, succeeded: true, responses: [] }) });
    await using proxy = await FaultyProxy.start(Number(new URL(etcd.url).port));
    const endpoints = new Endpoints([`http://127.0.0.1:${proxy.port}`], undefined, systemClock);
    let looks = 0;
    endpoints.newest.isThere = async () => {
      if (looks++ > 0) return isSame;
      // The connection ends behind the look, before the call.
      proxy.endAll();
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      return true;
    };
    const write = endpoints.call('Txn', { success: [{ requestPut: { key: '/a', value: Buffer.from('x') } }] });
    if (isSame) assert.equal((await write).response.header?.revision, 9);
    else await assert.rejects(write, { code: 'STORE_CORRUPT' });
    assert.equal(endpoints.newest.revision, isSame ? 9 : 0);
    assert.ok(looks >= 2);
    endpoints.close();
  }
});
