import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { PodActions } from '../pod/actions.ts';
import { specOf } from '../pod/spec.ts';
import { samplePod, sampleRuntime } from '../testing/pod-samples.ts';
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
  const actions: PodActions = { killPod: false, createSandbox: 0, sandboxId: undefined, kill: [], start: specOf(pod).containers };
  const facts = { nodeName: 'n', hostIps: [], podIps: [], allocatable: {} };
  try {
    const runtime = sampleRuntime([], []);
    const outcome = await new RuntimeManager(options).apply(pod, runtime, actions, new Map(), facts, async () => {}, AbortSignal.any([]));
    return { outcome, events, handlers };
  } finally {
    await rm(logsRoot, { recursive: true });
  }
}

const failing = (reason: string) => async (): Promise<void> => {
  throw new StartError(reason, 'why');
};

for (const [reason, events] of [
  ['CrashLoopBackOff', []],
  ['ErrImagePull', ['Failed: Error: ErrImagePull']],
  ['ImagePullBackOff', ['Failed: Error: ImagePullBackOff']],
] as const)
  test(`apply() tells of ${reason} with ${events.length} events beside those of who found it out`, async () => {
    const seen = await sync({}, failing(reason));
    assert.deepEqual(seen.events, events);
    assert.equal([...seen.outcome.waiting.values()][0]?.reason, reason);
  });

test('apply() makes the sandbox with the handler of the RuntimeClass', async () => {
  assert.deepEqual((await sync({ runtimeClassName: 'vm' }, async () => {})).handlers, ['kata']);
  assert.deepEqual((await sync({}, async () => {})).handlers, ['']);
});

test('apply() runs nothing when the RuntimeClass is not there', async () => {
  const seen = await sync({ runtimeClassName: 'gone' }, failing('started'));
  assert.deepEqual(seen.handlers, []);
  assert.deepEqual(seen.events, ['FailedCreatePodSandBox: Failed to create pod sandbox: runtimeclasses "gone" not found']);
});
