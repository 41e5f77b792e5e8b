import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { PodWorkerLoop, resyncMs } from './pod-worker-loop.ts';

/** A loop whose syncs end as `answers` says one after the other, then with a resync; what it did, with the time in ms. */
function looping(...answers: readonly (number | undefined | Error)[]): { clock: FakeClock; loop: PodWorkerLoop; said: string[] } {
  const clock = new FakeClock();
  const said: string[] = [];
  const rest = [...answers];
  const say = (word: string): void => void said.push(`${word} ${clock.monotonic()}`);
  const loop = new PodWorkerLoop({
    clock,
    sync: async () => {
      say('sync');
      const answer = rest.length > 0 ? rest.shift() : resyncMs;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onError: (err) => say(String((err as Error).message)),
    onFinished: () => say('finished'),
  });
  return { clock, loop, said };
}

test('a loop begins when it is released, not when it is asked before', async () => {
  const { clock, loop, said } = looping();
  loop.requeue();
  await clock.advance(10);
  loop.release();
  await clock.advance(1);
  assert.deepEqual(said, ['sync 10']);
});

test('it syncs again after as long as the last sync said, at once for 0', async () => {
  const { clock, loop, said } = looping(300, 0, 20);
  loop.release();
  await clock.advance(1000);
  assert.deepEqual(said, ['sync 0', 'sync 300', 'sync 300', 'sync 320']);
});

test('it resyncs about once a minute, a quarter sooner or later', async () => {
  const { clock, loop, said } = looping();
  loop.release();
  await clock.advance(resyncMs * 0.75 - 1);
  assert.equal(said.length, 1);
  await clock.advance(resyncMs / 2 + 1);
  assert.equal(said.length, 2);
});

test('what happens during a sync makes another one follow, one for many', async () => {
  const clock = new FakeClock();
  const first = Promise.withResolvers<number>();
  let syncs = 0;
  const loop = new PodWorkerLoop({
    clock,
    sync: async () => (++syncs === 1 ? first.promise : resyncMs),
    onError: (err) => assert.fail(String(err)),
    onFinished: assert.fail,
  });
  loop.release();
  loop.requeue();
  loop.requeue();
  await clock.advance(1);
  assert.equal(syncs, 1, 'never two at a time');
  first.resolve(5000);
  await clock.advance(1);
  assert.equal(syncs, 2);
});

test('an error is followed by a back-off that doubles up to ten seconds, and that a sync without error ends', async () => {
  const errors = Array.from({ length: 7 }, () => new Error('no'));
  const { clock, loop, said } = looping(...errors, 1, new Error('no'), 1);
  loop.release();
  await clock.advance(resyncMs);
  const times = said.filter((s) => s.startsWith('sync')).map((s) => Number(s.split(' ')[1]));
  assert.deepEqual(
    times.slice(1).map((at, i) => at - (times[i] ?? 0)),
    [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 1, 500, 1],
  );
  assert.equal(said.filter((s) => s.startsWith('no')).length, 8, 'each was told');
});

test('it ends for good when there is nothing left to do, also for who asked in the meantime', async () => {
  const { clock, loop, said } = looping(undefined);
  loop.release();
  loop.requeue();
  await clock.advance(resyncMs * 2);
  loop.requeue();
  await clock.advance(1);
  assert.deepEqual(said, ['sync 0', 'finished 0']);
});

test('a loop that was closed stays where it is', async () => {
  const { clock, loop, said } = looping(10, 10);
  loop.release();
  await clock.advance(15);
  loop.close();
  loop.requeue();
  await clock.advance(resyncMs * 2);
  assert.deepEqual(said, ['sync 0', 'sync 10']);
  assert.equal(clock.pending, 0);
});
