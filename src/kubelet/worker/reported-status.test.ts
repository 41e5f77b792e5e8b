import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerStatus, Pod, PodStatus } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { Allocation } from './allocation.ts';
import { ReportedStatus } from './reported-status.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** Statuses of a pod, and what went to the status manager: uid, name of the target, phase. */
function statusOf(pod: Pod, hasTarget: boolean = true): { status: ReportedStatus; written: string[] } {
  const written: string[] = [];
  const deps = {
    clock: new FakeClock(),
    facts: { hostIps: ['192.0.2.1'] },
    probes: { isReady: () => true, isStarted: () => true },
    statuses: {
      set: (uid: string, target: { name: string }, _api: PodStatus, status: PodStatus) =>
        void written.push(`${uid} ${target.name} ${status.phase}`),
    },
    target: ({ metadata }: Pod) => (hasTarget ? { target: { name: metadata.name }, status: {} } : undefined),
  };
  return { status: new ReportedStatus(pod, deps as unknown as WorkerDeps), written };
}

const waitingOf = ({ containerStatuses }: PodStatus): (string | undefined)[] =>
  (containerStatuses ?? []).map(({ state }: ContainerStatus) => state?.waiting?.reason);

test('conditions of others are taken over from the API, own ones are kept, and before there are any nothing is', () => {
  const condition = (type: string, status: string): { type: string; status: string } => ({ type, status });
  const pod = samplePod();
  const { status } = statusOf({ ...pod, status: { conditions: [condition('Ready', 'True'), condition('example.com/gate', 'False')] } });
  status.takeOver({ ...pod, status: { conditions: [condition('Ready', 'False'), condition('example.com/gate', 'True')] } });
  assert.deepEqual(status.current.conditions, [condition('Ready', 'True'), condition('example.com/gate', 'True')]);
  const { status: fresh } = statusOf(pod);
  fresh.takeOver({ ...pod, status: { conditions: [condition('example.com/gate', 'True')] } });
  assert.equal(fresh.current.conditions, undefined);
});

test('why a container waits is told until it is tried again', () => {
  const pod = samplePod({ containers: ['a', 'b'].map((name) => ({ name, image: 'box:1' })) });
  const { status } = statusOf(pod);
  const why = (reason: string): { reason: string; message: string } => ({ reason, message: '' });
  const tell = (): (string | undefined)[] => waitingOf(status.report(pod, new Allocation(pod), sampleRuntime([]), false));
  status.tried(
    [{ name: 'a' }, { name: 'b' }],
    new Map([
      ['a', why('ErrImagePull')],
      ['b', why('RunContainerError')],
    ]),
  );
  assert.deepEqual(tell(), ['ErrImagePull', 'RunContainerError']);
  status.tried([{ name: 'b' }], new Map([['b', why('CrashLoopBackOff')]]));
  assert.deepEqual(tell(), ['ErrImagePull', 'CrashLoopBackOff']);
  status.tried([{ name: 'a' }], new Map());
  assert.deepEqual(tell(), ['ContainerCreating', 'CrashLoopBackOff']);
});

test('what is reported goes to the pod in the API, if there is one', () => {
  const pod = samplePod();
  const { status, written } = statusOf(pod);
  status.report(pod, new Allocation(pod), sampleRuntime([]), false);
  assert.deepEqual(status.reject(pod, { reason: 'OutOfcpu', message: 'full' }), {
    ...status.current,
    phase: 'Failed',
    reason: 'OutOfcpu',
    message: 'full',
  });
  status.rewrite(pod);
  assert.deepEqual(written, ['u1 web Pending', 'u1 web Failed', 'u1 web Failed']);
  const alone = statusOf(pod, false);
  alone.status.report(pod, new Allocation(pod), sampleRuntime([]), false);
  assert.deepEqual([alone.status.current.phase, alone.written], ['Pending', []]);
});

test('a mirror is not given a status before there is one', () => {
  const pod = { ...samplePod(), status: {} };
  const { status, written } = statusOf(pod);
  status.rewrite(pod);
  assert.deepEqual(written, []);
});
