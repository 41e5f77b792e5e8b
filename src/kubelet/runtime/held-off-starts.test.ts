import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { HeldOffStarts } from './held-off-starts.ts';
import { StartError } from './start-error.ts';

const container = { name: 'main', image: 'box:1' };

function rig(): {
  clock: FakeClock;
  held: HeldOffStarts;
  tries: () => number;
  attempt(generation?: number): Promise<StartError | undefined>;
  heal(): void;
} {
  const clock = new FakeClock();
  const held = new HeldOffStarts(clock);
  let tries = 0;
  let failure: StartError | undefined = new StartError('CreateContainerConfigError', 'image will run as root');
  return {
    clock,
    held,
    tries: () => tries,
    async attempt(generation = 1) {
      try {
        await held.attempt(samplePod({}, { generation }), container, async () => {
          tries++;
          if (failure) throw failure;
        });
        return undefined;
      } catch (err) {
        assert.ok(err instanceof StartError);
        return err;
      }
    },
    heal() {
      failure = undefined;
    },
  };
}

test('a container that cannot be made is tried six times in half a minute, whoever wakes its pod, and tells the same reason meanwhile', async () => {
  const { clock, tries, attempt } = rig();
  for (let ms = 0; ms < 34_000; ms += 100) {
    const err = await attempt();
    assert.equal(err?.reason, 'CreateContainerConfigError');
    assert.equal(err?.message, 'image will run as root');
    assert.ok((err?.retryMs ?? 0) > 0 && (err?.retryMs ?? 0) <= 15_000, `${err?.retryMs}`);
    await clock.advance(100);
  }
  // At 0, 1, 3, 7, 15 and 30 s.
  assert.equal(tries(), 6);
});

test('a pod that was changed is tried at once, one that started begins anew, and what ended is forgotten', async () => {
  const { held, tries, attempt, heal, clock } = rig();
  await attempt();
  await clock.advance(1_000);
  await attempt();
  assert.equal((await attempt())?.retryMs, 2_000);
  assert.equal((await attempt(2))?.retryMs, 1_000);
  assert.equal(tries(), 3);
  held.forget('u1');
  heal();
  assert.equal(await attempt(2), undefined);
  assert.equal(tries(), 4);
});

test('a failure that knows when to try again is left to its own delay', async () => {
  const held = new HeldOffStarts(new FakeClock());
  const fail = (): Promise<void> =>
    held.attempt(samplePod(), container, async () => {
      throw new StartError('ErrImagePull', 'gone', 10_000);
    });
  for (let i = 0; i < 2; i++) await assert.rejects(fail, (err) => err instanceof StartError && err.retryMs === 10_000);
});
