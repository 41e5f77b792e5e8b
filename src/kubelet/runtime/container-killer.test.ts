import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { ContainerKiller } from './container-killer.ts';

test('a preStop hook is not waited for when the grace period is cut short', async () => {
  const stopped: number[] = [];
  // The hook never ends.
  const execSync = (): Promise<never> => new Promise(() => {});
  const cri = { execSync, stopContainer: async (_id: string, grace: number) => void stopped.push(grace) } as unknown as Cri;
  const killer = new ContainerKiller({ cri, clock: new FakeClock(), events: { pod() {}, container() {} }, log: silentLog });
  const container = { name: 'main', image: 'box:1', lifecycle: { preStop: { exec: { command: ['wait'] } } } };
  const record = sampleContainer({ name: 'main', state: 'running' });
  const killed = killer.kill(record, samplePod({ containers: [container] }), '', 600);
  assert.deepEqual(stopped, []);
  await killer.hasten(sampleRuntime([record]), 0);
  await killed;
  assert.deepEqual(stopped, [2, 2]);
});
