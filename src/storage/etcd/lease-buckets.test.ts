import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { Endpoints } from './endpoints.ts';
import { LeaseBuckets } from './lease-buckets.ts';

/** Leases that are granted by an etcd which notes for how long. */
function bucketsOver(clock: FakeClock, fails: () => boolean = () => false) {
  const granted: number[] = [];
  const call = async (_: string, { id, ttl }: { id: number; ttl: number }): Promise<unknown> => {
    granted.push(ttl);
    if (fails()) throw new Error('etcd is away');
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
    let away = false;
    const { buckets, granted } = bucketsOver(new FakeClock(), () => away);
    for (let i = 0; i < 1_000; i++) await buckets.lease(3600);
    assert.equal(granted.length, 1);
    await buckets.lease(3600);
    assert.equal(granted.length, 2);
    buckets.drop(3600);
    away = true;
    await assert.rejects(buckets.lease(3600), /away/);
    away = false;
    await buckets.lease(3600);
    assert.equal(granted.length, 4);
  });
});
