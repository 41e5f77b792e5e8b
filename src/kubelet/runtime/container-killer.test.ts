import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { ContainerKiller } from './container-killer.ts';

test('a preStop hook is not waited for when the grace period is cut short', async () => {
  const stopped: number[] = [];
  const cri = { stopContainer: async (_id: string, grace: number) => void stopped.push(grace) } as unknown as Cri;
  const killer = new ContainerKiller({ cri, clock: systemClock, events: { pod() {}, container() {} }, log: silentLog });
  const container = { name: 'main', image: 'box:1', lifecycle: { preStop: { sleep: { seconds: 1 } } } };
  const record = sampleContainer({ name: 'main', state: 'running' });
  const began = performance.now();
  const killed = killer.kill(record, samplePod({ containers: [container] }), '', 600);
  assert.deepEqual(stopped, []);
  await killer.hasten(sampleRuntime([record]), 0);
  await killed;
  assert.ok(performance.now() - began < 900, 'it waited for the hook');
  assert.deepEqual(stopped, [2, 2]);
});
