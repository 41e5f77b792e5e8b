import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Pod, PodStatus } from '../schema/types.ts';
import { podColumns } from './pod-columns.ts';

const now = new Date('2026-01-01T01:00:00Z');

function pod(containers: Partial<Container>[], status: PodStatus, more: { init?: Partial<Container>[]; deleted?: boolean } = {}): Pod {
  const named = (list: Partial<Container>[], prefix: string): Container[] =>
    list.map((one, index) => ({ name: `${prefix}${index}`, ...one }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      namespace: 'default',
      creationTimestamp: '2026-01-01T00:55:00Z',
      ...(more.deleted ? { deletionTimestamp: '2026-01-01T01:00:00Z' } : {}),
    },
    spec: { containers: named(containers, 'c'), ...(more.init ? { initContainers: named(more.init, 'i') } : {}) },
    status,
  };
}

function status(name: string, more: Partial<ContainerStatus>): ContainerStatus {
  return { name, ready: false, restartCount: 0, image: '', imageID: '', ...more };
}

const running: Partial<ContainerStatus> = { ready: true, state: { running: { startedAt: '2026-01-01T00:55:10Z' } } };
const done = (reason: string, exitCode = 0): Partial<ContainerStatus> => ({ state: { terminated: { exitCode, reason } } });
const waiting = (reason: string): Partial<ContainerStatus> => ({ state: { waiting: { reason } } });

/** What is shown: READY STATUS RESTARTS. */
const cases: readonly [string, Pod, string][] = [
  ['a pod nobody has looked at', pod([{}], { phase: 'Pending' }), '0/1 Pending 0'],
  [
    'a pod held back by gates',
    pod([{}], { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
    '0/1 SchedulingGated 0',
  ],
  [
    'a container that is made',
    pod([{}], { phase: 'Pending', containerStatuses: [status('c0', waiting('ContainerCreating'))] }),
    '0/1 ContainerCreating 0',
  ],
  ['all running', pod([{}, {}], { phase: 'Running', containerStatuses: [status('c0', running), status('c1', running)] }), '2/2 Running 0'],
  [
    'a restart that was five seconds ago',
    pod([{}], {
      phase: 'Running',
      containerStatuses: [
        status('c0', { ...running, restartCount: 1, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:59:55Z' } } }),
      ],
    }),
    '1/1 Running 1 (5s ago)',
  ],
  [
    'a crash loop',
    pod([{}], { phase: 'Running', containerStatuses: [status('c0', { ...waiting('CrashLoopBackOff'), restartCount: 4 })] }),
    '0/1 CrashLoopBackOff 4',
  ],
  [
    'the first container with a reason has the last word',
    pod([{}, {}], {
      phase: 'Pending',
      containerStatuses: [status('c0', waiting('ErrImagePull')), status('c1', waiting('ImagePullBackOff'))],
    }),
    '0/2 ErrImagePull 0',
  ],
  [
    'an end by a signal without a reason',
    pod([{}], { phase: 'Failed', containerStatuses: [status('c0', { state: { terminated: { exitCode: 137, signal: 9 } } })] }),
    '0/1 Signal:9 0',
  ],
  [
    'an end with a code without a reason',
    pod([{}], { phase: 'Failed', containerStatuses: [status('c0', { state: { terminated: { exitCode: 2 } } })] }),
    '0/1 ExitCode:2 0',
  ],
  ['completed', pod([{}], { phase: 'Succeeded', containerStatuses: [status('c0', done('Completed'))] }), '0/1 Completed 0'],
  [
    'one done and one running, ready',
    pod([{}, {}], {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [status('c0', done('Completed')), status('c1', running)],
    }),
    '1/2 Running 0',
  ],
  [
    'one done and one running, not ready',
    pod([{}, {}], { phase: 'Running', containerStatuses: [status('c0', done('Completed')), status('c1', running)] }),
    '1/2 NotReady 0',
  ],
  ['an eviction', pod([{}], { phase: 'Failed', reason: 'Evicted' }), '0/1 Evicted 0'],
  [
    'a pod that is deleted',
    pod([{}], { phase: 'Running', containerStatuses: [status('c0', running)] }, { deleted: true }),
    '1/1 Terminating 0',
  ],
  ['a deleted pod on a lost node', pod([{}], { phase: 'Running', reason: 'NodeLost' }, { deleted: true }), '0/1 Unknown 0'],
  [
    'a deleted pod that has ended',
    pod([{}], { phase: 'Succeeded', containerStatuses: [status('c0', done('Completed'))] }, { deleted: true }),
    '0/1 Completed 0',
  ],
  [
    'the first init container runs',
    pod(
      [{}],
      { phase: 'Pending', initContainerStatuses: [status('i0', { state: { running: {} } }), status('i1', waiting('PodInitializing'))] },
      { init: [{}, {}] },
    ),
    '0/1 Init:0/2 0',
  ],
  [
    'the second init container waits its turn',
    pod(
      [{}],
      { phase: 'Pending', initContainerStatuses: [status('i0', done('Completed')), status('i1', waiting('PodInitializing'))] },
      { init: [{}, {}] },
    ),
    '0/1 Init:1/2 0',
  ],
  [
    'an init container fails',
    pod([{}], { phase: 'Pending', initContainerStatuses: [status('i0', { ...done('Error', 1), restartCount: 2 })] }, { init: [{}] }),
    '0/1 Init:Error 2',
  ],
  [
    'an init container in a crash loop',
    pod(
      [{}],
      { phase: 'Pending', initContainerStatuses: [status('i0', { ...waiting('CrashLoopBackOff'), restartCount: 3 })] },
      { init: [{}] },
    ),
    '0/1 Init:CrashLoopBackOff 3',
  ],
  [
    'restarts of init containers do not count once they are done',
    pod(
      [{}],
      {
        phase: 'Running',
        initContainerStatuses: [status('i0', { ...done('Completed'), restartCount: 2 })],
        containerStatuses: [status('c0', running)],
      },
      { init: [{}] },
    ),
    '1/1 Running 0',
  ],
  [
    'a sidecar counts among the ready ones',
    pod(
      [{}],
      {
        phase: 'Running',
        initContainerStatuses: [status('i0', { ...running, started: true, restartCount: 1 })],
        containerStatuses: [status('c0', running)],
      },
      { init: [{ restartPolicy: 'Always' }] },
    ),
    '2/2 Running 1',
  ],
];

for (const [name, object, wanted] of cases) {
  test(`pods show ${wanted.split(' ')[1]}: ${name}`, () => {
    const [, ready, state, restarts, age] = podColumns.cells(object, now);
    assert.equal(`${ready} ${state} ${restarts}`, wanted);
    assert.equal(age, '5m');
  });
}

test('pods -o wide show address, node and readiness gates', () => {
  const object = pod([{}], { phase: 'Running', podIPs: [{ ip: '10.244.1.5' }], conditions: [{ type: 'example.com/fed', status: 'True' }] });
  object.spec!.nodeName = 'worker-1';
  object.spec!.readinessGates = [{ conditionType: 'example.com/fed' }, { conditionType: 'example.com/walked' }];
  assert.deepEqual(podColumns.cells(object, now).slice(5), ['10.244.1.5', 'worker-1', '<none>', '1/2']);
  assert.deepEqual(
    podColumns.definitions.map((one) => `${one.name}${one.priority ? ' (wide)' : ''}`),
    ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP (wide)', 'Node (wide)', 'Nominated Node (wide)', 'Readiness Gates (wide)'],
  );
});

test('a pod that ended carries the condition Completed', () => {
  assert.deepEqual(podColumns.conditions!(pod([{}], { phase: 'Running' })), []);
  assert.equal(podColumns.conditions!(pod([{}], { phase: 'Failed' }))[0]!.reason, 'Failed');
});

test('a status that leaves out its count is read as never restarted', () => {
  const { restartCount: _count, ...rest } = status('c0', running);
  const object = pod([{}], { phase: 'Running', containerStatuses: [rest as ContainerStatus] });
  assert.equal(podColumns.cells(object, now)[3], '0');
});
