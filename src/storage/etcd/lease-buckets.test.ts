import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { Endpoints } from './endpoints.ts';
import { LeaseBuckets } from './lease-buckets.ts';

/** Leases that are granted by an etcd which notes for how long. */
function bucketsOver(clock: FakeClock, fails: () => Error | undefined = () => undefined) {
  const granted: number[] = [];
  const call = async (_: string, { id, ttl }: { id: number; ttl: number }): Promise<unknown> => {
    granted.push(ttl);
    const err = fails();
    if (err) throw err;
    return { response: { id }, doubtful: false };
  };
  return { buckets: new LeaseBuckets({ call } as unknown as Endpoints, clock), granted };
}

describe('LeaseBuckets', () => {
  test('shares a lease among records of one time to live for a twentieth of it, a minute at most', async () => {
    const clock = new FakeClock();
    const { buckets, granted } = bucketsOver(clock);
    const first = await buckets.lease(3600);
    assert.equal(await buckets.lease(3600), first);
    assert.notEqual(await buckets.lease(200), first);
    await clock.advance(59_999);
    assert.equal(await buckets.lease(3600), first);
    assert.notEqual(await buckets.lease(200), await buckets.lease(400));
    await clock.advance(1);
    assert.notEqual(await buckets.lease(3600), first);
    assert.deepEqual(granted, [3660, 210, 210, 420, 3660]);
  });

  test('gives a record of a short life a lease of its own', async () => {
    const { buckets, granted } = bucketsOver(new FakeClock());
    assert.notEqual(await buckets.lease(15), await buckets.lease(15));
    await buckets.lease(0.2);
    assert.deepEqual(granted, [15, 15, 1]);
  });

  test('begins a new lease after a thousand records, and when one is gone or was not granted', async () => {
    let away: Error | undefined;
    const { buckets, granted } = bucketsOver(new FakeClock(), () => away);
    for (let i = 0; i < 1_000; i++) await buckets.lease(3600);
    assert.equal(granted.length, 1);
    await buckets.lease(3600);
    assert.equal(granted.length, 2);
    buckets.drop(3600);
    away = new Error('etcd is away');
    await assert.rejects(buckets.lease(3600), /away/);
    away = undefined;
    await buckets.lease(3600);
    assert.equal(granted.length, 4);
  });

  test('takes another lease when etcd has the one already that it was asked for: the answer was lost, and the next member was asked', async () => {
    const there = Object.assign(new Error(), { code: status.FAILED_PRECONDITION, details: 'etcdserver: lease already exists' });
    const answers = [there, undefined];
    const { buckets, granted } = bucketsOver(new FakeClock(), () => answers.shift());
    const lease = await buckets.lease(3600);
    assert.equal(await buckets.lease(3600), lease);
    assert.deepEqual(granted, [3660, 3660]);
  });
});
