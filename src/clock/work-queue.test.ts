import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './testing/fake-clock.ts';
import { WorkQueue } from './work-queue.ts';

test('a key added twice is taken once, and again when it was added while worked on', async () => {
  const queue = new WorkQueue(new FakeClock());
  queue.add('a');
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  assert.equal(queue.size, 1);
  queue.done('a');
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  assert.equal(queue.size, 0);
});

test('the earliest of several delays counts', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock);
  queue.addAfter('a', 1000);
  queue.addAfter('a', 10);
  queue.addAfter('a', 500);
  await clock.advance(9);
  assert.equal(queue.size, 0);
  await clock.advance(1);
  assert.equal(queue.size, 1);
  assert.equal(clock.pending, 0);
});

test('a failure comes back after a delay that doubles up to the greatest, and starts over after a success', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock);
  queue.add('a');
  for (const delay of [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 40_960, 60_000, 60_000]) {
    await queue.take();
    queue.addRateLimited('a');
    queue.done('a');
    await clock.advance(delay - 1);
    assert.equal(queue.size, 0, `before ${delay}`);
    await clock.advance(1);
    assert.equal(queue.size, 1, `after ${delay}`);
  }
  assert.equal(queue.failures('a'), 16);
  queue.forget('a');
  assert.equal(queue.failures('a'), 0);
  await queue.take();
  queue.addRateLimited('a');
  queue.done('a');
  await clock.advance(5);
  assert.equal(queue.size, 1);
});

test('a closed queue lets its workers go', async () => {
  const queue = new WorkQueue(new FakeClock());
  const taken = queue.take();
  queue.close();
  assert.equal(await taken, undefined);
  assert.equal(await queue.take(), undefined);
});
