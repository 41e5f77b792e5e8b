import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, Probe } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { Cri } from '../cri/cri.ts';
import { sampleContainer, samplePod, sampleRuntime, sampleSandbox } from '../testing/pod-samples.ts';
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

/** When a container with this probe is looked at, in ms since it began; `answers` has an exit code for each look, the last one for all that follow. */
async function lookTimes(
  probes: { readinessProbe?: Probe; livenessProbe?: Probe; startupProbe?: Probe },
  answers: readonly number[],
  untilMs: number,
): Promise<{ readonly times: readonly number[]; readonly manager: ProbeManager; readonly seconds: readonly number[] }> {
  const clock = new FakeClock();
  const times: number[] = [];
  const seconds: number[] = [];
  const execSync = async (_id: string, _command: readonly string[], limit: number): Promise<object> => {
    times.push(clock.monotonic());
    seconds.push(limit);
    return { exitCode: answers[Math.min(times.length, answers.length) - 1], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  };
  const manager = new ProbeManager({ cri: { execSync } as unknown as Cri, clock, events: { pod() {}, container() {} } });
  manager.sync(
    samplePod({ containers: [{ name: 'main', image: 'box:1', ...probes }] }),
    sampleRuntime([sampleContainer({ startedAt: clock.now() })]),
  );
  await clock.advance(untilMs);
  return { times, manager, seconds };
}

test('readiness is asked for after 0.1 s, and each time after twice as long, up to the period', async () => {
  const { times } = await lookTimes({ readinessProbe: { ...exec, periodSeconds: 1 } }, [1], 4000);
  assert.deepEqual(times, [0, 100, 300, 700, 1500, 2500, 3500]);
});

test('the first look comes after the delay, less what the container has run already', async () => {
  const { times } = await lookTimes({ livenessProbe: { ...exec, initialDelaySeconds: 5, periodSeconds: 2 } }, [0], 10_000);
  assert.deepEqual(times, [5000, 7000, 9000]);
});

test('a probe that says nothing of itself is asked every 10 s for 1 s, and fails with the third failure', async () => {
  const two = await lookTimes({ livenessProbe: exec }, [1], 19_999);
  assert.deepEqual([two.times, two.seconds, two.manager.liveness('main-0')], [[0, 10_000], [1, 1], 'success']);
  const three = await lookTimes({ livenessProbe: exec }, [1], 60_000);
  assert.deepEqual([three.times, three.manager.liveness('main-0')], [[0, 10_000, 20_000], 'failure']);
});

test('a period and a time limit are at least a second, and else as they are given', async () => {
  const least = await lookTimes({ livenessProbe: { ...exec, periodSeconds: 0, timeoutSeconds: 0 } }, [0], 2000);
  assert.deepEqual(
    [least.times, least.seconds],
    [
      [0, 1000, 2000],
      [1, 1, 1],
    ],
  );
  assert.deepEqual((await lookTimes({ livenessProbe: { ...exec, timeoutSeconds: 2000 } }, [0], 0)).seconds, [2000]);
});

test('of the quick looks after a delay the first failure counts, and the next one a period later', async () => {
  const { clock, events } = rig({ readinessProbe: { ...exec, initialDelaySeconds: 10, periodSeconds: 10 } });
  await clock.advance(19_999);
  assert.equal(events.length, 1);
  await clock.advance(10_000);
  assert.equal(events.length, 2);
});

test('readiness that needs two successes needs them one after the other', async () => {
  const probe = { readinessProbe: { ...exec, periodSeconds: 1, successThreshold: 2 } };
  assert.equal((await lookTimes(probe, [0], 999)).manager.isReady('main-0'), false);
  assert.equal((await lookTimes(probe, [0], 1000)).manager.isReady('main-0'), true);
  const interrupted = await lookTimes(probe, [0, 1, 0], 2500);
  assert.deepEqual([interrupted.times, interrupted.manager.isReady('main-0')], [[0, 1000, 2000], false]);
  assert.equal((await lookTimes(probe, [0, 1, 0], 3000)).manager.isReady('main-0'), true);
});

test('a liveness probe that waits looks each second, and at once when the container has started', async () => {
  const probes = { startupProbe: { ...exec, periodSeconds: 2 }, livenessProbe: { ...exec, periodSeconds: 60 } };
  // Startup looks at 0, 100, 300, 700 and 1500 ms; the second success of 1500 ms is the first look at its life.
  const { times, manager } = await lookTimes(probes, [1, 1, 1, 1, 0], 10_000);
  assert.deepEqual([times, manager.startup('main-0')], [[0, 100, 300, 700, 1500, 1500], 'success']);
});

test('a result is told when it changes, and not each time', async () => {
  const { clock, manager, state } = rig({ livenessProbe: { ...exec, periodSeconds: 1, failureThreshold: 2 }, readinessProbe: exec });
  const told: string[] = [];
  manager.onResult((uid) => told.push(uid));
  state.ok = true;
  await clock.advance(5000);
  assert.deepEqual(told, ['u1'], 'ready');
  state.ok = false;
  await clock.advance(2000);
  assert.deepEqual(told, ['u1', 'u1'], 'dead');
});

test('an event is about the pod as it is now', async () => {
  const clock = new FakeClock();
  const cri = { execSync: async () => ({ exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }) } as unknown as Cri;
  const versions: (string | undefined)[] = [];
  const container = ({ metadata }: Pod): void => void versions.push(metadata.resourceVersion);
  const manager = new ProbeManager({ cri, clock, events: { pod() {}, container } });
  const runtime = sampleRuntime([sampleContainer({})]);
  for (const resourceVersion of ['1', '2'])
    manager.sync(samplePod({ containers: [{ name: 'main', image: 'box:1', livenessProbe: exec }] }, { resourceVersion }), runtime);
  await clock.advance(10);
  assert.deepEqual(versions, ['2']);
});

for (const [what, sandbox, status, wanted] of [
  ['its own address', { ips: ['127.0.0.1', '::1'] }, {}, '127.0.0.1'],
  ['no address as long as it has none', { ips: [] }, {}, ''],
  ["the node's address when it has the node's network", { hostNetwork: true, ips: [] }, { hostIP: '127.0.0.2' }, '127.0.0.2'],
  ["loopback when it has the node's network and nobody knows the address", { hostNetwork: true, ips: [] }, {}, '127.0.0.1'],
] as const)
  test(`a pod is reached at ${what}`, async () => {
    const clock = new FakeClock();
    const said = Promise.withResolvers<string>();
    const container = (_pod: Pod, _container: object, _type: string, _reason: string, message: string): void => said.resolve(message);
    const manager = new ProbeManager({ cri: {} as Cri, clock, events: { pod() {}, container } });
    // Nobody listens there, which is told with the address.
    const livenessProbe = { httpGet: { port: 1, path: '/at', scheme: 'HTTP' } };
    manager.sync(
      { ...samplePod({ containers: [{ name: 'main', image: 'box:1', livenessProbe }] }), status },
      sampleRuntime([sampleContainer({})], [sampleSandbox(sandbox)]),
    );
    await clock.advance(10);
    assert.match(await said.promise, new RegExp(`"http://${wanted}:1/at"`));
    manager.close();
  });
