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

/** What comes out next, or 'nothing' when nobody is ready. */
async function next(queue: SchedulingQueue, clock: FakeClock): Promise<string | undefined> {
  const taken = queue.take();
  await clock.advance(0);
  return Promise.race([taken, Promise.resolve('nothing')]);
}

test('a pod that is removed does not come out, whether it is ready, delayed or asleep', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  for (const key of ['asleep', 'delayed', 'ready', 'last']) queue.add(key, 0);
  assert.equal(await queue.take(), 'asleep');
  assert.equal(await queue.take(), 'delayed');
  queue.failed('delayed', queue.moves - 1);
  queue.failed('asleep', queue.moves);
  assert.equal(queue.size, 4);
  for (const key of ['asleep', 'delayed', 'ready', 'nobody']) queue.remove(key);
  assert.equal(queue.size, 1);
  queue.failed('asleep', queue.moves);
  assert.equal(await queue.take(), 'last');
  queue.moveAll();
  await clock.advance(400_000);
  assert.equal(await next(queue, clock), 'nothing');
});

test('a pod that sleeps is woken by its own change, with its new priority, once its delay is over', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add('p', 0);
  await queue.take();
  queue.failed('p', queue.moves);
  queue.add('p', 10);
  queue.add('q', 5);
  await clock.advance(1_000);
  assert.deepEqual([await queue.take(), await queue.take()], ['p', 'q']);
  assert.equal(queue.size, 2);
});

test('of several that are delayed the first to be due comes first, and those that are due come by priority', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  for (const key of ['a', 'b', 'c']) queue.add(key, key === 'c' ? 1 : 0);
  for (let i = 0; i < 3; i++) await queue.take();
  for (const key of ['b', 'a', 'c']) {
    queue.failed(key, queue.moves - 1);
    await clock.advance(100);
  }
  await clock.advance(700);
  assert.equal(await queue.take(), 'b');
  await clock.advance(200);
  assert.deepEqual([await queue.take(), await queue.take()], ['c', 'a']);
});

test('delays double up to ten seconds', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add('p', 0);
  await queue.take();
  for (const delay of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
    queue.failed('p', queue.moves - 1);
    let got: string | undefined;
    const taken = queue.take().then((key) => {
      got = key;
    });
    await clock.advance(delay - 1);
    assert.equal(got, undefined);
    await clock.advance(1);
    await taken;
  }
});

test('a queue that is closed ends its taker, and gives nothing more', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  const waiting = queue.take();
  queue.close();
  assert.equal(await waiting, undefined);
  queue.add('p', 0);
  assert.equal(await queue.take(), undefined);
});
