import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, Probe } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { Cri } from '../cri/cri.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { ProbeManager } from './probe-manager.ts';

const exec = { exec: { command: ['look'] } };

/** A container whose probes succeed when `ok` says so. */
function rig(probes: { readinessProbe?: Probe; livenessProbe?: Probe; startupProbe?: Probe }): {
  readonly clock: FakeClock;
  readonly manager: ProbeManager;
  readonly state: { ok: boolean; looks: number };
  readonly events: string[];
  readonly pod: Pod;
} {
  const clock = new FakeClock();
  const state = { ok: false, looks: 0 };
  const events: string[] = [];
  const execSync = async (): Promise<object> => {
    state.looks++;
    return { exitCode: state.ok ? 0 : 1, stdout: Buffer.from('no'), stderr: Buffer.alloc(0) };
  };
  const manager = new ProbeManager({
    cri: { execSync } as unknown as Cri,
    clock,
    events: { pod() {}, container: (_pod, _container, _type, reason, message) => void events.push(`${reason}: ${message}`) },
  });
  const pod = samplePod({ containers: [{ name: 'main', image: 'box:1', ...probes }] });
  manager.sync(pod, sampleRuntime([sampleContainer({ startedAt: clock.now() })]));
  return { clock, manager, state, events, pod };
}

test('a container that is up in a moment is ready long before the period is over', async () => {
  const { clock, manager, state, events } = rig({ readinessProbe: { ...exec, periodSeconds: 10 } });
  await clock.advance(50);
  assert.equal(manager.isReady('main-0'), false);
  state.ok = true;
  await clock.advance(100);
  assert.equal(manager.isReady('main-0'), true);
  assert.deepEqual(events, []);
});

test('a container that was ready stays so until the threshold, looked at once a period', async () => {
  const { clock, manager, state, events } = rig({ readinessProbe: { ...exec, periodSeconds: 10, failureThreshold: 2 } });
  state.ok = true;
  await clock.advance(1000);
  const before = state.looks;
  state.ok = false;
  await clock.advance(10_000);
  assert.equal(manager.isReady('main-0'), true);
  await clock.advance(10_000);
  assert.equal(manager.isReady('main-0'), false);
  assert.equal(state.looks - before, 2);
  assert.deepEqual(events, ['Unhealthy: Readiness probe failed: no', 'Unhealthy: Readiness probe failed: no']);
});

test('a liveness probe waits for its delay, and fails at its threshold', async () => {
  const { clock, manager, state } = rig({ livenessProbe: { ...exec, initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 3 } });
  await clock.advance(4900);
  assert.equal(state.looks, 0);
  await clock.advance(4000);
  assert.equal(manager.liveness('main-0'), 'success');
  await clock.advance(2000);
  assert.equal(manager.liveness('main-0'), 'failure');
});

test('a startup probe holds the others back, and its early looks do not count as failures', async () => {
  const { clock, manager, state } = rig({
    startupProbe: { ...exec, periodSeconds: 10, failureThreshold: 2 },
    livenessProbe: { ...exec, periodSeconds: 1, failureThreshold: 1 },
  });
  await clock.advance(9000);
  assert.equal(manager.startup('main-0'), 'unknown');
  assert.equal(manager.liveness('main-0'), 'success');
  state.ok = true;
  await clock.advance(10_000);
  assert.equal(manager.startup('main-0'), 'success');
  state.ok = false;
  await clock.advance(1500);
  assert.equal(manager.liveness('main-0'), 'failure');
});

test('a startup probe fails after as many periods as its threshold says', async () => {
  const { clock, manager } = rig({ startupProbe: { ...exec, periodSeconds: 2, failureThreshold: 3 } });
  await clock.advance(4000);
  assert.equal(manager.startup('main-0'), 'unknown');
  await clock.advance(5000);
  assert.equal(manager.startup('main-0'), 'failure');
});

test('probers end with their container, leaving no timer', async () => {
  const { clock, manager, pod } = rig({ readinessProbe: exec, livenessProbe: exec });
  await clock.advance(10);
  manager.sync(pod, sampleRuntime([sampleContainer({ state: 'exited' })]));
  await clock.advance(10);
  assert.equal(clock.pending, 0);
});

/** A container that has all three probes, which fail. */
function looks(
  probe: Probe,
  more: object,
  runtime = sampleRuntime([sampleContainer({})]),
): { clock: FakeClock; manager: ProbeManager; events: string[]; sync: (pod: Pod) => void } {
  const clock = new FakeClock();
  const events: string[] = [];
  const cri = { execSync: async () => ({ exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.from('no') }) } as unknown as Cri;
  const container = (_pod: object, { name }: { name: string }, type: string, reason: string, text: string): void =>
    void events.push(`${name} ${type} ${reason}: ${text}`);
  const manager = new ProbeManager({ cri, clock, events: { pod() {}, container } });
  const sync = (pod: Pod): void => manager.sync(pod, runtime);
  sync(
    samplePod({
      containers: [{ name: 'main', image: 'box:1', readinessProbe: probe, livenessProbe: probe, startupProbe: probe }],
      ...more,
    }),
  );
  return { clock, manager, events, sync };
}

test('at first a container lives, is not ready, and nobody knows whether it has started; without probes it is all of these', () => {
  const { manager } = looks(exec, {});
  assert.deepEqual([manager.liveness('main-0'), manager.startup('main-0')], ['success', 'unknown']);
  assert.deepEqual([manager.isReady('main-0'), manager.isStarted('main-0')], [false, false]);
  assert.deepEqual([manager.liveness('x'), manager.startup('x')], [undefined, undefined]);
  assert.deepEqual([manager.isReady('x'), manager.isStarted('x')], [true, true]);
});

test('a failure is told as a warning of the container', async () => {
  const { clock, events } = looks({ ...exec, periodSeconds: 1 }, {});
  await clock.advance(2000);
  assert.deepEqual(events, ['main Warning Unhealthy: Startup probe failed: no']);
});

test('probers are forgotten with their pod, and when the kubelet ends', async () => {
  for (const end of [(m: ProbeManager) => m.forget('u1'), (m: ProbeManager) => m.close()]) {
    const { clock, manager } = looks(exec, {});
    await clock.advance(10);
    manager.forget('u2');
    assert.equal(manager.isReady('main-0'), false);
    end(manager);
    await clock.advance(0);
    assert.deepEqual([manager.isReady('main-0'), clock.pending], [true, 0]);
  }
});

test('a pod that is ending is only asked whether it is ready; what was said of its life stands', async () => {
  const { clock, manager, sync } = looks({ ...exec, periodSeconds: 1 }, {});
  const { metadata, ...pod } = samplePod({ containers: [{ name: 'main', image: 'box:1', livenessProbe: exec }] });
  sync({ ...pod, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  await clock.advance(60_000);
  assert.deepEqual([manager.liveness('main-0'), manager.startup('main-0')], ['success', 'unknown']);
  assert.equal(clock.pending, 1);
});

test('init containers have no probers, but sidecars', () => {
  for (const [restartPolicy, wanted] of [
    [undefined, undefined],
    ['Always', 'success'],
  ] as const) {
    const initContainers = [{ name: 'init', image: 'x', livenessProbe: exec, ...(restartPolicy ? { restartPolicy } : {}) }];
    const { manager } = looks(exec, { initContainers }, sampleRuntime([sampleContainer({ name: 'init' })]));
    assert.equal(manager.liveness('init-0'), wanted);
  }
});
