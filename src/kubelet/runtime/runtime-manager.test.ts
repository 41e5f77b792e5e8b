import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import type { PodActions } from '../pod/actions.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { specOf } from '../pod/spec.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { RuntimeManager, type RuntimeManagerOptions, type SyncOutcome } from './runtime-manager.ts';
import { StartError } from './start-error.ts';

interface Seen {
  readonly outcome: SyncOutcome;
  readonly events: string[];
  readonly handlers: string[];
}

/** One sync of a pod without a sandbox, whose containers start as `start` says. */
async function sync(spec: object, start: () => Promise<void>): Promise<Seen> {
  const events: string[] = [];
  const handlers: string[] = [];
  const logsRoot = await mkdtemp(join(tmpdir(), 'runtime-manager-'));
  const sandbox = { id: 's', metadata: { attempt: 0 }, state: 0, createdAt: 0, network: { ip: '10.0.0.1', additionalIps: [] } };
  const options = {
    cri: {
      runPodSandbox: async (_config: object, handler: string) => {
        handlers.push(handler);
        return 's';
      },
      podSandboxStatus: async () => sandbox,
    },
    events: {
      pod: (_pod: object, _type: string, reason: string, message: string) => events.push(`${reason}: ${message}`),
      container: (_pod: object, _container: object, _type: string, reason: string, message: string) => events.push(`${reason}: ${message}`),
    },
    cgroups: { createPod: async () => {} },
    starter: { start },
    killer: {},
    clusterDns: { servers: [], domain: 'cluster.local' },
    hostDns: async () => ({ servers: [], searches: [], options: [] }),
    logsRoot,
    runtimeHandler: async (name: string) => {
      if (name === 'vm') return 'kata';
      throw new Error(`runtimeclasses "${name}" not found`);
    },
  } as unknown as RuntimeManagerOptions;
  const pod = samplePod(spec);
  const actions: PodActions = {
    killPod: false,
    createSandbox: 0,
    sandboxId: undefined,
    kill: [],
    start: specOf(pod).containers,
    resize: [],
  };
  try {
    const runtime = sampleRuntime([], []);
    return { outcome: await carryOut(options, pod, runtime, actions), events, handlers };
  } finally {
    await rm(logsRoot, { recursive: true });
  }
}

async function carryOut(options: RuntimeManagerOptions, pod: Pod, runtime: PodRuntime, actions: PodActions): Promise<SyncOutcome> {
  const facts = { nodeName: 'n', hostIps: [], podIps: [], allocatable: {} };
  const onStarted = async (): Promise<void> => {};
  const sync = { pod, runtime, actions, facts, onStarted, volumes: new Map(), signal: AbortSignal.any([]) };
  return await new RuntimeManager(options).syncPod(sync);
}

const failing = (reason: string) => async (): Promise<void> => {
  throw new StartError(reason, 'why');
};

for (const [reason, events] of [
  ['CrashLoopBackOff', []],
  ['ErrImagePull', ['Failed: Error: ErrImagePull']],
  ['ImagePullBackOff', ['Failed: Error: ImagePullBackOff']],
] as const)
  test(`syncPod() tells of ${reason} with ${events.length} events beside those of who found it out`, async () => {
    const seen = await sync({}, failing(reason));
    assert.deepEqual(seen.events, events);
    assert.equal([...seen.outcome.waiting.values()][0]?.reason, reason);
  });

test('syncPod() makes the sandbox with the handler of the RuntimeClass', async () => {
  assert.deepEqual((await sync({ runtimeClassName: 'vm' }, async () => {})).handlers, ['kata']);
  assert.deepEqual((await sync({}, async () => {})).handlers, ['']);
});

test('syncPod() runs nothing when the RuntimeClass is not there', async () => {
  const seen = await sync({ runtimeClassName: 'gone' }, failing('started'));
  assert.deepEqual(seen.handlers, []);
  assert.deepEqual(seen.events, ['FailedCreatePodSandBox: Failed to create pod sandbox: runtimeclasses "gone" not found']);
});

/** What is done, in order, when a container with the first limits is to have the second: `pod QUOTA MEMORY` and `container QUOTA MEMORY`. */
async function resize(
  from: string,
  to: string,
  refuse = false,
  usage = 10,
): Promise<{ readonly said: string[]; readonly outcome: SyncOutcome }> {
  const said: string[] = [];
  const limits = (text: string): { cpu: string; memory: string } => ({ cpu: text.split(' ')[0]!, memory: text.split(' ')[1]! });
  const options = {
    cri: {
      listContainerStats: async () => [{ attributes: { id: 'main-0' }, memory: { workingSetBytes: { value: usage } } }],
      updateContainerResources: async (id: string, linux: { cpuQuota: number; memoryLimitInBytes: number }) => {
        said.push(`${id} ${linux.cpuQuota} ${linux.memoryLimitInBytes}`);
        if (refuse) throw new Error('device or resource busy');
      },
    },
    cgroups: {
      createPod: async (p: { cpuQuota: number; memoryLimit: number }) => {
        said.push(`pod ${p.cpuQuota} ${p.memoryLimit}`);
      },
    },
    memoryCapacity: 2 ** 30,
  } as unknown as RuntimeManagerOptions;
  const container = { name: 'main', image: 'box:1', resources: { requests: limits(to), limits: limits(to) } };
  const actions: PodActions = {
    ...{ killPod: false, createSandbox: undefined, sandboxId: 's0', kill: [], start: [] },
    resize: [{ id: 'main-0', container }],
  };
  const pod = samplePod({ containers: [container] });
  const runtime = sampleRuntime([sampleContainer({ resources: { requests: limits(from), limits: limits(from) } })]);
  return { said, outcome: await carryOut(options, pod, runtime, actions) };
}

for (const [what, from, to, wanted] of [
  ['grows first', '1 1k', '2 2k', ['pod 200000 2000', 'main-0 200000 2000', 'pod 200000 2000']],
  ['shrinks last', '2 2k', '1 1k', ['pod 200000 2000', 'main-0 100000 1000', 'pod 100000 1000']],
] as const)
  test(`syncPod() resizes a container in a cgroup of the pod that ${what}`, async () => {
    const { said, outcome } = await resize(from, to);
    assert.deepEqual(said, wanted);
    assert.deepEqual([...outcome.resized.keys()], ['main-0']);
    assert.equal(outcome.resizeProblem, undefined);
  });

test('syncPod() takes no memory from a container that is in use', async () => {
  const { said, outcome } = await resize('1 2k', '1 1k', false, 1500);
  assert.deepEqual(said, ['pod 100000 2000']);
  assert.match(
    outcome.resizeProblem?.message ?? '',
    /: attempting to set container "main" memory limit \(1000\) below current usage \(1500\)$/,
  );
});

test('syncPod() keeps the cgroup of the pod wide when a container cannot shrink, says so, and tries again', async () => {
  const { said, outcome } = await resize('2 2k', '1 1k', true);
  assert.deepEqual(said, ['pod 200000 2000', 'main-0 100000 1000']);
  assert.equal(outcome.resized.size, 0);
  const message = 'Cannot resize container main: device or resource busy';
  assert.deepEqual(outcome.resizeProblem, { type: 'PodResizeInProgress', reason: 'Error', message });
  assert.equal(outcome.retryMs, 10_000);
});
