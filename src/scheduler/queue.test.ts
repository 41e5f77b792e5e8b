import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { SchedulingQueue } from './queue.ts';

test('pods come out by priority, then by age', async () => {
  const queue = new SchedulingQueue(new FakeClock());
  queue.add('old', 0);
  queue.add('new', 0);
  queue.add('urgent', 1000);
  queue.add('old', 0);
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['urgent', 'old', 'new']);
});

test('a pod that did not fit waits for a change, and then for its delay', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add('p', 0);
  assert.equal(await queue.take(), 'p');
  queue.failed('p', queue.moves);
  let got: string | undefined;
  const next = queue.take().then((key) => {
    got = key;
  });
  await clock.advance(60_000);
  assert.equal(got, undefined);
  queue.moveAll();
  await next;
  assert.equal(got, 'p');
  queue.failed('p', queue.moves);
  queue.moveAll();
  const again = queue.take().then((key) => {
    got = `${key} again`;
  });
  await clock.advance(1_999);
  assert.equal(got, 'p');
  await clock.advance(1);
  await again;
  assert.equal(got, 'p again');
});

test('a change that comes while a pod is being looked at is not missed', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add('p', 0);
  await queue.take();
  const { moves } = queue;
  queue.moveAll();
  queue.failed('p', moves);
  const next = queue.take();
  await clock.advance(1_000);
  assert.equal(await next, 'p');
});

test('nothing helps for five minutes: it is tried again all the same', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add('p', 0);
  await queue.take();
  queue.failed('p', queue.moves);
  const next = queue.take();
  await clock.advance(301_000);
  assert.equal(await next, 'p');
});
