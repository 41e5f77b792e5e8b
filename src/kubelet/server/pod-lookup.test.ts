import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, PodStatus } from '../../api/schema/types.ts';
import type { ContainerRecord } from '../pod/pod-runtime.ts';
import { sampleContainer, samplePod, sampleRuntime, sampleSandbox } from '../testing/pod-samples.ts';
import type { PodWorkers } from '../worker/pod-workers.ts';
import { PodLookup } from './pod-lookup.ts';

const pod = samplePod();
const running = sampleContainer({ id: 'c2', restartCount: 2 });
const ended = sampleContainer({ id: 'c1', restartCount: 1, state: 'exited' });
const first = sampleContainer({ id: 'c0', state: 'exited' });

/** Over pod "web", whose container "main" has these records, the newest first. */
function lookup(records: readonly ContainerRecord[], status: PodStatus = {}, sandbox = sampleSandbox()): PodLookup {
  const worker = { pod, status, runtime: sampleRuntime(records, [sandbox]) };
  const find = (_namespace: string, name: string): object | undefined => (name === 'web' ? worker : undefined);
  return new PodLookup({ find, list: () => [worker] } as unknown as PodWorkers);
}

const waiting = (reason: string): PodStatus => ({
  containerStatuses: [{ name: 'other' }, { name: 'main', state: { waiting: { reason } } }] as ContainerStatus[],
});

describe('PodLookup', () => {
  test('pods have their newest statuses', () =>
    assert.deepEqual(lookup([], { phase: 'Running' }).list(), [{ ...pod, status: { phase: 'Running' } }]));

  for (const [what, ask, code, message] of [
    ['another pod', () => lookup([]).sandbox('default', 'x'), 404, 'pod "x" not found'],
    [
      'a pod whose sandbox is gone',
      () => lookup([], {}, sampleSandbox({ ready: false })).sandbox('default', 'web'),
      404,
      'pod "web" has no sandbox that runs',
    ],
    [
      'another container',
      () => lookup([running]).runningContainer('default', 'web', 'x'),
      400,
      'container "x" in pod "web" is not available',
    ],
    ['a container that has ended', () => lookup([ended]).runningContainer('default', 'web', 'main'), 404, 'container not found ("main")'],
    [
      'a log that is not there yet',
      () => lookup([]).log('default', 'web', 'main', false),
      400,
      'container "main" in pod "web" is waiting to start: ContainerCreating',
    ],
    [
      'the log of a container that is only made',
      () => lookup([sampleContainer({ state: 'created' })]).log('default', 'web', 'main', false),
      400,
      'container "main" in pod "web" is waiting to start: ContainerCreating',
    ],
    [
      'a log whose image cannot be had',
      () => lookup([], waiting('ErrImagePull')).log('default', 'web', 'main', false),
      400,
      `container "main" in pod "web" is waiting to start: image can't be pulled`,
    ],
    [
      'a log that waits for the image',
      () => lookup([], waiting('ImagePullBackOff')).log('default', 'web', 'main', false),
      400,
      'container "main" in pod "web" is waiting to start: trying and failing to pull image',
    ],
    [
      'the log before the first',
      () => lookup([running]).log('default', 'web', 'main', true),
      400,
      'previous terminated container "main" in pod "web" not found',
    ],
    [
      'the log before the one that ended',
      () => lookup([ended]).log('default', 'web', 'main', true),
      400,
      'previous terminated container "main" in pod "web" not found',
    ],
  ] as const)
    test(`${what} is refused with ${code}`, () => assert.throws(ask, { code, message }));

  test('the sandbox and the container that run are found', () => {
    assert.equal(lookup([]).sandbox('default', 'web'), 's0');
    assert.equal(lookup([running, ended]).runningContainer('default', 'web', 'main'), 'c2');
  });

  for (const [what, records, status, previous, wanted] of [
    ['the newest log', [running, ended], {}, false, 'c2 runs'],
    ['the newest log when it has ended', [ended, first], {}, false, 'c1'],
    ['the log before the one that runs', [running, ended, first], {}, true, 'c1'],
    ['the log before the one that ended', [ended, first], {}, true, 'c0'],
    ['the last log of a container that waits for its next start', [ended, first], waiting('CrashLoopBackOff'), true, 'c1'],
  ] as const)
    test(`log() gives ${what}`, () => {
      const { record, isRunning } = lookup(records, status).log('default', 'web', 'main', previous);
      assert.equal(`${record.id}${isRunning() ? ' runs' : ''}`, wanted);
    });
});
