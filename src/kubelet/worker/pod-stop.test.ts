import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { sampleContainer, samplePod, sampleRuntime, sampleSandbox } from '../testing/pod-samples.ts';
import { PodStop } from './pod-stop.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** A stop whose kills last until `end` is called. */
function stopOf(): { stop: PodStop; said: string[]; end: PromiseWithResolvers<void> } {
  const said: string[] = [];
  const end = Promise.withResolvers<void>();
  const killer = {
    killPod: (_runtime: object, _pod: Pod, grace: number) => {
      said.push(`kill ${grace}`);
      return end.promise;
    },
    hasten: async (_runtime: object, grace: number) => void said.push(`hasten ${grace}`),
  };
  const events = { pod: (_pod: Pod, type: string, reason: string, text: string) => void said.push(`${type} ${reason}: ${text}`) };
  return { stop: new PodStop({ killer, events } as unknown as WorkerDeps), said, end };
}

const running = sampleRuntime([sampleContainer()]);
const withGrace = (seconds: number): Pod => samplePod({}, { deletionGracePeriodSeconds: seconds });

test('what does not run is not stopped', async () => {
  const { stop, said } = stopOf();
  assert.equal(
    await stop.run(
      { ...running, containers: [sampleContainer({ state: 'exited' })], sandboxes: [sampleSandbox({ ready: false })] },
      samplePod(),
    ),
    false,
  );
  assert.deepEqual(said, []);
});

for (const [what, runtime] of [
  ['a container runs', { ...running, sandboxes: [] }],
  ['nobody knows of a container', { ...running, containers: [sampleContainer({ state: 'unknown' })], sandboxes: [] }],
  ['only its sandbox is there', { ...running, containers: [], sandboxes: [sampleSandbox()] }],
] as const)
  test(`a pod is stopped when ${what}`, async () => {
    const { stop, said, end } = stopOf();
    end.resolve();
    assert.equal(await stop.run(runtime, samplePod({ terminationGracePeriodSeconds: 7 })), true);
    assert.deepEqual(said, ['kill 7']);
    assert.equal(stop.isUnderWay, false);
  });

test('a stop becomes shorter, never longer, and only while it is under way', async () => {
  const { stop, said, end } = stopOf();
  stop.hasten(running, withGrace(1));
  const done = stop.run(running, withGrace(20));
  assert.equal(stop.isUnderWay, true);
  for (const seconds of [30, 20, 5, 10, 5, 0]) stop.hasten(running, withGrace(seconds));
  end.resolve();
  await done;
  stop.hasten(running, withGrace(0));
  assert.deepEqual(said, ['kill 20', 'hasten 5', 'hasten 0']);
});

test('a stop that fails is told as an Event, and may be tried again', async () => {
  const { stop, said, end } = stopOf();
  end.reject(new Error('no runtime'));
  await assert.rejects(stop.run(running, samplePod()), /no runtime/);
  assert.deepEqual(said, ['kill 30', 'Warning FailedKillPod: error killing pod: no runtime']);
  assert.equal(stop.isUnderWay, false);
});
