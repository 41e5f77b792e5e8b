import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { systemClock } from '../../clock/clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openStore } from '../open.ts';
import { type Answers, FakeEtcd } from '../testing/fake-etcd.ts';
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
