import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { ProbeManager } from '../probe/probe-manager.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { PodWorker } from './pod-worker.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** A pod with one container and a readiness probe that says what `state.isReady` says; stopping it takes until `stopped` resolves. */
function rig(): {
  readonly clock: FakeClock;
  readonly state: { isReady: boolean };
  readonly statuses: PodStatus[];
  readonly stopped: PromiseWithResolvers<void>;
  /** The last status has reached the API server. */
  readonly flushed: PromiseWithResolvers<void>;
  readonly pod: Pod;
  worker(pod: Pod): PodWorker;
} {
  const clock = new FakeClock();
  const state = { isReady: true };
  const statuses: PodStatus[] = [];
  const stopped = Promise.withResolvers<void>();
  const flushed = Promise.withResolvers<void>();
  const ready = { exec: { command: ['ready'] }, periodSeconds: 5, failureThreshold: 3 };
  const pod = samplePod({ containers: [{ name: 'main', image: 'box:1', readinessProbe: ready, livenessProbe: ready }] });
  let isAlive = true;
  const running = (): PodRuntime => sampleRuntime([sampleContainer({ startedAt: clock.now(), state: isAlive ? 'running' : 'exited' })]);
  const probes = new ProbeManager({
    cri: {
      execSync: async () => ({ exitCode: state.isReady ? 0 : 1, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }),
    } as unknown as Cri,
    clock,
    events: { pod() {}, container() {} },
  });
  probes.onResult(() => worker?.requeue());
  const first = running();
  let worker: PodWorker | undefined;
  const deps = {
    clock,
    log: silentLog,
    events: { pod() {}, container() {} },
    reader: { read: async () => (isAlive ? first : running()) },
    runtime: { syncPod: async () => ({ waiting: new Map(), started: [], resized: new Map() }), collect: async () => {} },
    killer: {
      killPod: async () => {
        await stopped.promise;
        isAlive = false;
      },
    },
    probes,
    statuses: {
      set: (_uid: string, _target: object, _old: object, status: PodStatus) => void statuses.push(status),
      flush: () => flushed.promise,
      remove: async () => {},
      forget() {},
    },
    volumes: { setUp: async () => new Map(), tearDown: async () => {} },
    cgroups: { removePod: async () => {} },
    starter: { forget() {} },
    tokens: { forget() {} },
    logsRoot: '/nowhere',
    facts: { nodeName: 'n', hostIps: ['192.0.2.1'], podIps: [], allocatable: {} },
    networkProblem: () => undefined,
    target: () => ({ target: {}, status: {} }),
    onFinished() {},
    admit: async () => undefined,
    forgetConfig: () => {},
    resizeProblem: () => undefined,
  } as unknown as WorkerDeps;
  return {
    clock,
    state,
    statuses,
    stopped,
    flushed,
    pod,
    worker(of) {
      worker = new PodWorker(of, deps);
      worker.release();
      return worker;
    },
  };
}

const readyOf = (statuses: readonly PodStatus[]): string | undefined =>
  statuses.at(-1)?.conditions?.find((c) => c.type === 'Ready')?.status;
const ending = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 300 },
});

test('a pod that ends slowly is ready as long as its probe says so, and no longer', async () => {
  const { clock, state, statuses, stopped, flushed, pod, worker } = rig();
  const it = worker(pod);
  await clock.advance(1_000);
  assert.equal(readyOf(statuses), 'True');
  it.update(ending(pod));
  await clock.advance(20_000);
  assert.equal(it.state, 'terminating');
  assert.equal(readyOf(statuses), 'True', 'it still serves');
  state.isReady = false;
  await clock.advance(16_000);
  assert.equal(readyOf(statuses), 'False', 'three periods later');
  assert.equal(statuses.at(-1)?.phase, 'Running');
  state.isReady = true;
  await clock.advance(6_000);
  assert.equal(readyOf(statuses), 'True', 'and it may come back');
  stopped.resolve();
  await clock.advance(1_000);
  assert.notEqual(statuses.at(-1)?.phase, 'Running');
  const { length } = statuses;
  it.requeue();
  flushed.resolve();
  await clock.advance(60_000);
  assert.equal(statuses.length, length, 'nothing overwrites the last word');
});

test('a kubelet that begins while a pod ends asks its readiness, and no longer whether it lives', async () => {
  const { clock, state, statuses, pod, worker } = rig();
  worker(ending({ ...pod, status: { phase: 'Running' } }));
  await clock.advance(1_000);
  assert.equal(readyOf(statuses), 'True');
  state.isReady = false;
  await clock.advance(16_000);
  assert.equal(readyOf(statuses), 'False');
});
