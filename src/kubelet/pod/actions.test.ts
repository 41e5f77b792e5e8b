import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { sampleContainer as c, samplePod as p, sampleRuntime as r, sampleSandbox as s } from '../testing/pod-samples.ts';
import { computePodActions, type ProbeResult, shouldRestart } from './actions.ts';
import type { PodRuntime } from './pod-runtime.ts';

interface Case {
  readonly name: string;
  readonly pod?: Pod;
  readonly runtime: PodRuntime;
  readonly liveness?: Record<string, ProbeResult>;
  readonly startup?: Record<string, ProbeResult>;
  /** `kill NAME`, `kill-pod`, `sandbox N`, `start NAME`, `resize NAME`, in this order. */
  readonly wanted: readonly string[];
}

const asking = { containers: [{ name: 'main', image: 'box:1', resources: { requests: { cpu: '20m', memory: '1Mi' } } }] };
const restartForCpu = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };
const has = (cpu: string, memory: string, more: object = {}) => c({ resources: { requests: { cpu, memory } }, ...more });

const inits = {
  initContainers: [
    { name: 'one', image: 'box:1' },
    { name: 'two', image: 'box:1' },
  ],
};
const sidecar = {
  initContainers: [
    { name: 'side', image: 'box:1', restartPolicy: 'Always' },
    { name: 'two', image: 'box:1' },
  ],
};
const done = { state: 'exited', exitCode: 0 } as const;
const failed = { state: 'exited', exitCode: 1 } as const;
const deleting = { deletionTimestamp: '2026-01-01T00:00:30Z' };

const cases: readonly Case[] = [
  { name: 'makes the first sandbox and starts the containers', runtime: r([], []), wanted: ['sandbox 0', 'start main'] },
  { name: 'starts what is missing in a sandbox that is there', runtime: r(), wanted: ['start main'] },
  { name: 'does nothing when all runs', runtime: r([c()]), wanted: [] },
  {
    name: 'replaces a sandbox that died, and stops what is left of it',
    runtime: r([c(failed)], [s({ ready: false })]),
    wanted: ['kill-pod', 'sandbox 1', 'start main'],
  },
  { name: 'replaces a sandbox without an address', runtime: r([], [s({ ips: [] })]), wanted: ['kill-pod', 'sandbox 1', 'start main'] },
  {
    name: 'replaces a sandbox of the wrong network',
    pod: p({ hostNetwork: true }),
    runtime: r([c()]),
    wanted: ['kill-pod', 'sandbox 1', 'start main'],
  },
  {
    name: 'replaces two sandboxes that both run',
    runtime: r([], [s(), s({ id: 's1', attempt: 1, createdAt: Date.UTC(2026, 0, 2) })]),
    wanted: ['kill-pod', 'sandbox 2', 'start main'],
  },
  {
    name: 'makes no second sandbox for a pod that never restarts',
    pod: p({ restartPolicy: 'Never' }),
    runtime: r([c(failed)], [s({ ready: false })]),
    wanted: ['kill-pod'],
  },
  {
    name: 'makes no second sandbox when everything has succeeded',
    pod: p({ restartPolicy: 'OnFailure' }),
    runtime: r([c(done)], [s({ ready: false })]),
    wanted: ['kill-pod'],
  },
  { name: 'makes no sandbox for a pod that is being deleted', pod: p({}, deleting), runtime: r([], []), wanted: ['kill-pod'] },
  { name: 'restarts a container that ended, by policy Always', runtime: r([c(done)]), wanted: ['start main'] },
  {
    name: 'restarts a failed container by policy OnFailure',
    pod: p({ restartPolicy: 'OnFailure' }),
    runtime: r([c(failed)]),
    wanted: ['start main'],
  },
  {
    name: 'stops the pod when all has succeeded by policy OnFailure',
    pod: p({ restartPolicy: 'OnFailure' }),
    runtime: r([c(done)]),
    wanted: ['kill-pod'],
  },
  {
    name: 'stops the pod when all has failed by policy Never',
    pod: p({ restartPolicy: 'Never' }),
    runtime: r([c(failed)]),
    wanted: ['kill-pod'],
  },
  {
    name: 'restarts a failed container by its own policy',
    pod: p({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'box:1', restartPolicy: 'OnFailure' }] }),
    runtime: r([c(failed)]),
    wanted: ['start main'],
  },
  {
    name: 'stops the pod when an init container failed by its own policy Never',
    pod: p({ initContainers: [{ name: 'one', image: 'box:1', restartPolicy: 'Never' }] }),
    runtime: r([c({ name: 'one', ...failed })]),
    wanted: ['kill-pod'],
  },
  {
    name: 'restarts an init container that failed as its rule says',
    pod: p({
      restartPolicy: 'Never',
      initContainers: [
        {
          name: 'one',
          image: 'box:1',
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'NotIn', values: [2] } }],
        },
      ],
    }),
    runtime: r([c({ name: 'one', ...failed })]),
    wanted: ['start one'],
  },
  { name: 'starts a container again that was made but never started', runtime: r([c({ state: 'created' })]), wanted: ['start main'] },
  {
    name: 'kills a container of unknown state before it starts it again',
    runtime: r([c({ state: 'unknown' })]),
    wanted: ['kill main', 'start main'],
  },
  { name: 'replaces a container whose image changed', runtime: r([c({ hash: 'old' })]), wanted: ['kill main', 'start main'] },
  {
    name: 'restarts a container that is not alive',
    runtime: r([c()]),
    liveness: { 'main-0': 'failure' },
    wanted: ['kill main', 'start main'],
  },
  {
    name: 'restarts a container that does not come up',
    runtime: r([c()]),
    startup: { 'main-0': 'failure' },
    wanted: ['kill main', 'start main'],
  },
  {
    name: 'ends a pod that never restarts when its container is not alive',
    pod: p({ restartPolicy: 'Never' }),
    runtime: r([c()]),
    liveness: { 'main-0': 'failure' },
    wanted: ['kill-pod'],
  },
  { name: 'starts the first init container with the sandbox', pod: p(inits), runtime: r([], []), wanted: ['sandbox 0', 'start one'] },
  {
    name: 'starts the only init container with the sandbox',
    pod: p({ initContainers: inits.initContainers.slice(0, 1) }),
    runtime: r([], []),
    wanted: ['sandbox 0', 'start one'],
  },
  { name: 'waits for an init container that runs', pod: p(inits), runtime: r([c({ name: 'one' })]), wanted: [] },
  {
    name: 'starts the second init container after the first',
    pod: p(inits),
    runtime: r([c({ name: 'one', ...done })]),
    wanted: ['start two'],
  },
  {
    name: 'starts the main container after all init containers',
    pod: p(inits),
    runtime: r([c({ name: 'one', ...done }), c({ name: 'two', ...done })]),
    wanted: ['start main'],
  },
  { name: 'runs a failed init container again', pod: p(inits), runtime: r([c({ name: 'one', ...failed })]), wanted: ['start one'] },
  {
    name: 'fails the pod when an init container fails and nothing restarts',
    pod: p({ ...inits, restartPolicy: 'Never' }),
    runtime: r([c({ name: 'one', ...failed })]),
    wanted: ['kill-pod'],
  },
  { name: 'needs no trace of init containers once a main one runs', pod: p(inits), runtime: r([c()]), wanted: [] },
  {
    name: 'runs init containers again in a new sandbox',
    pod: p(inits),
    runtime: r([c({ name: 'one', ...done }), c({ name: 'two', ...done }), c(failed)], [s({ ready: false })]),
    wanted: ['kill-pod', 'sandbox 1', 'start one'],
  },
  { name: 'goes on beside a sidecar that runs', pod: p(sidecar), runtime: r([c({ name: 'side' })]), wanted: ['start two'] },
  {
    name: 'waits for a sidecar that has not started up',
    pod: p(sidecar),
    runtime: r([c({ name: 'side' })]),
    startup: { 'side-0': 'unknown' },
    wanted: [],
  },
  {
    name: 'restarts a sidecar that ended without stopping the main container',
    pod: p(sidecar),
    runtime: r([c({ name: 'side', ...done }), c({ name: 'two', ...done }), c()]),
    wanted: ['start side'],
  },
  {
    name: 'starts an ephemeral container once',
    pod: p({ ephemeralContainers: [{ name: 'debug', image: 'box:1' }] }),
    runtime: r([c()]),
    wanted: ['start debug'],
  },
  {
    name: 'never restarts an ephemeral container',
    pod: p({ ephemeralContainers: [{ name: 'debug', image: 'box:1' }] }),
    runtime: r([c(), c({ name: 'debug', ...failed })]),
    wanted: [],
  },
  { name: 'gives a running container what it asks for now', pod: p(asking), runtime: r([has('10m', '1Mi')]), wanted: ['resize main'] },
  { name: 'leaves a container alone that has what it asks for', pod: p(asking), runtime: r([has('20m', '1Mi')]), wanted: [] },
  { name: 'leaves a container alone of which nobody noted what it has', pod: p(asking), runtime: r([c()]), wanted: [] },
  {
    name: 'starts a container anew when its policy wants that for what changed',
    pod: p({ containers: [{ ...asking.containers[0]!, ...restartForCpu }] }),
    runtime: r([has('10m', '1Mi')]),
    wanted: ['kill main', 'start main'],
  },
  {
    name: 'resizes a container in place when its policy is for what did not change',
    pod: p({ containers: [{ ...asking.containers[0]!, ...restartForCpu }] }),
    runtime: r([has('20m', '2Mi')]),
    wanted: ['resize main'],
  },
  {
    name: 'starts a container that ended with what it asks for now',
    pod: p(asking),
    runtime: r([has('10m', '1Mi', failed)]),
    wanted: ['start main'],
  },
  { name: 'resizes nothing of a pod that ends', pod: p(asking, deleting), runtime: r([has('10m', '1Mi')]), wanted: [] },
];

for (const { name, pod = p(), runtime, liveness = {}, startup = {}, wanted } of cases) {
  test(`computePodActions() ${name}`, () => {
    const actions = computePodActions(pod, runtime, { liveness: (id) => liveness[id], startup: (id) => startup[id] });
    const said = [
      ...actions.kill.map((k) => `kill ${k.name}`),
      ...(actions.killPod ? ['kill-pod'] : []),
      ...(actions.createSandbox === undefined ? [] : [`sandbox ${actions.createSandbox}`]),
      ...actions.start.map((container) => `start ${container.name}`),
      ...actions.resize.map(({ container }) => `resize ${container.name}`),
    ];
    assert.deepEqual(said, wanted);
  });
}

const noProbes = { liveness: () => undefined, startup: () => undefined };

test('computePodActions() says of every kill why, for the event', () => {
  const kill = (pod: Pod, runtime: PodRuntime, probes: Partial<typeof noProbes> | object = {}): unknown =>
    computePodActions(pod, runtime, { ...noProbes, ...probes }).kill.map(({ id, name, reason, message }) => [id, name, reason, message]);
  const failure = (): ProbeResult => 'failure';
  const restartForBoth = { ...asking.containers[0]!, ...restartForCpu };
  const cases: readonly [unknown, string, string][] = [
    [kill(p(), r([c({ hash: 'old' })])), 'Changed', 'Container main definition changed, will be restarted'],
    [kill(p({ containers: [restartForBoth] }), r([has('10m', '1Mi')])), 'Changed', 'Container main resize requires restart'],
    [kill(p(), r([c()]), { liveness: failure }), 'LivenessProbe', 'Container main failed liveness probe, will be restarted'],
    [kill(p(), r([c()]), { startup: failure }), 'StartupProbe', 'Container main failed startup probe, will be restarted'],
    [kill(p(), r([c({ state: 'unknown' })])), 'Unknown', 'Container main is in an unknown state, try killing it before restart'],
    [kill(p({}, deleting), r([c()]), { liveness: failure }), 'LivenessProbe', 'Container main failed liveness probe'],
  ];
  for (const [said, reason, message] of cases) assert.deepEqual(said, [['main-0', 'main', reason, message]]);
});

test('computePodActions() gives the sandbox to use, the newest one', () => {
  const old = s({ id: 'old', ready: false, createdAt: Date.UTC(2025, 0, 1) });
  const of = (pod: Pod, runtime: PodRuntime): string | undefined => computePodActions(pod, runtime, noProbes).sandboxId;
  assert.equal(of(p(), r([], [old, s()])), 's0');
  assert.equal(of(p(inits), r([c({ name: 'one' })], [old, s()])), 's0');
  assert.equal(of(p({ restartPolicy: 'Never' }), r([c(failed)], [old, s()])), 's0');
  assert.equal(of(p({}, deleting), r([], [])), undefined);
});

test('computePodActions() takes a container without a noted hash for the right one', () => {
  assert.deepEqual(computePodActions(p(), r([c({ hash: '' })]), noProbes).kill, []);
});

test('computePodActions() restarts a sidecar that is not alive, and starts nothing beside it before it has', () => {
  const liveness = (id: string): ProbeResult | undefined => (id === 'side-0' ? 'failure' : undefined);
  const of = (...containers: readonly ReturnType<typeof c>[]): unknown => {
    const { kill, start } = computePodActions(p(sidecar), r(containers), { ...noProbes, liveness });
    return [kill.map((k) => k.name), start.map((container) => container.name)];
  };
  assert.deepEqual(of(c({ name: 'side' })), [['side'], ['side']]);
  assert.deepEqual(of(c({ name: 'side' }), c({ name: 'two', ...done }), c(failed)), [['side'], ['side', 'main']]);
});

test('shouldRestart() is for what has ended, was never started, or is not known', () => {
  const container = p().spec!.containers[0]!;
  const of = (pod: Pod, latest: ReturnType<typeof c> | undefined): boolean => shouldRestart(pod, container, latest);
  assert.deepEqual(
    [of(p(), undefined), of(p(), c({ state: 'created' })), of(p(), c({ state: 'unknown' })), of(p(), c(failed))],
    [true, true, true, true],
  );
  assert.deepEqual([of(p(), c()), of(p({ restartPolicy: 'Never' }), c(failed)), of(p({}, deleting), c(failed))], [false, false, false]);
  assert.equal(of(p({ restartPolicy: 'Never' }), c({ state: 'created' })), true);
});

test('computePodActions() makes the first sandbox also for a pod that never restarts, and one without containers that ran', () => {
  const never = { restartPolicy: 'Never' };
  assert.equal(computePodActions(p(never), r([], []), noProbes).createSandbox, 0);
  assert.equal(computePodActions(p(never), r([], [s({ ready: false })]), noProbes).createSandbox, 1);
  // What is left of a pod whose sandboxes have been collected.
  assert.equal(computePodActions(p(never), r([c(failed)], []), noProbes).createSandbox, 0);
});

test('computePodActions() starts again in a new sandbox what has not succeeded by policy OnFailure', () => {
  const containers = ['main', 'b'].map((name) => ({ name, image: 'box:1' }));
  const of = (restartPolicy: string): string[] =>
    computePodActions(
      p({ containers, restartPolicy }),
      r([c(done), c({ name: 'b', ...failed })], [s({ ready: false })]),
      noProbes,
    ).start.map((x) => x.name);
  assert.deepEqual([of('OnFailure'), of('Always')], [['b'], ['main', 'b']]);
});
