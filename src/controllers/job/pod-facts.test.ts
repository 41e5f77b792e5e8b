import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { podOfJob } from './new-pod.ts';
import {
  earlierFailures,
  failureVerdict,
  finishedAt,
  ignoredIndexFailuresAnnotation,
  indexAnnotation,
  indexFailuresAnnotation,
  isFailed,
  trackingFinalizer,
} from './pod-facts.ts';
import { at, failed, indexed, job, pod, startOf2026 } from './testing/samples.ts';

test('failureVerdict() is that of the first rule that fits', () => {
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailIndex', onExitCodes: { containerName: 'other', operator: 'NotIn', values: [1] } },
    { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [1] } },
  ];
  const disrupted = failed('a');
  disrupted.status!.conditions = [{ type: 'DisruptionTarget', status: 'True' }];
  assert.deepEqual(failureVerdict({ rules }, disrupted), { action: 'Ignore', counts: false });
  assert.deepEqual(failureVerdict({ rules }, failed('a', { code: 2 })), {
    action: 'FailJob',
    counts: true,
    message: 'Container main for pod default/a failed with exit code 2 matching FailJob rule at index 2',
  });
  assert.deepEqual(failureVerdict({ rules }, failed('a')), { action: undefined, counts: true });
});

test('podOfJob() tells a pod its index in every way that upstream does', () => {
  const { metadata, spec } = podOfJob(job(indexed), { index: 2, failures: { counted: 1, ignored: 0 } });
  assert.deepEqual([metadata.generateName, spec?.hostname, metadata.finalizers], ['pi-2-', 'pi-2', [trackingFinalizer]]);
  assert.deepEqual(
    [metadata.annotations, metadata.labels],
    [{ [indexAnnotation]: '2', [indexFailuresAnnotation]: '1' }, { [indexAnnotation]: '2' }],
  );
  assert.deepEqual(spec?.containers[0]?.env, [
    { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } } },
  ]);
});

test('podOfJob() keeps what the template says, and adds its finalizer once', () => {
  const env = [{ name: 'JOB_COMPLETION_INDEX', value: 'mine' }];
  const spec = { restartPolicy: 'Never', containers: [{ name: 'main', env }], initContainers: [{ name: 'init' }] };
  const template = { metadata: { finalizers: ['example.com/mine', trackingFinalizer] }, spec };
  const made = podOfJob(job({ ...indexed, template }), { index: 0, failures: { counted: 0, ignored: 2 } });
  assert.deepEqual(made.metadata.finalizers, ['example.com/mine', trackingFinalizer]);
  assert.equal(made.metadata.annotations?.[ignoredIndexFailuresAnnotation], '2');
  assert.deepEqual(made.spec?.containers[0]?.env, env, 'whoever names the variable means another one');
  assert.equal(made.spec?.initContainers?.[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
  assert.deepEqual(podOfJob(job({ template }), {}).metadata.finalizers, ['example.com/mine', trackingFinalizer]);
});

test('isFailed() counts a deleted pod, unless it succeeded or is waited for', () => {
  assert.equal(isFailed(job(), failed('a')), true);
  assert.equal(isFailed(job(), pod('a')), false);
  assert.equal(isFailed(job(), pod('a', { deleted: true })), true);
  assert.equal(isFailed(job(), pod('a', { deleted: true, phase: 'Succeeded' })), false);
  assert.equal(isFailed(job({ podReplacementPolicy: 'Failed' }), pod('a', { deleted: true })), false);
});

test('finishedAt() is when the last container ended, or else the best that can be told', () => {
  const ended = (name: string, seconds: number) => ({
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    state: { terminated: { exitCode: 0, finishedAt: at(seconds) } },
  });
  const of = (more: Partial<Pod>, metadata: Partial<Pod['metadata']> = {}): number => {
    const base = pod('a');
    return (finishedAt({ ...base, ...more, metadata: { ...base.metadata, ...metadata } }) - startOf2026) / 1000;
  };
  const initContainers = [{ name: 'once' }, { name: 'sidecar', restartPolicy: 'Always' }];
  assert.equal(of({ status: { containerStatuses: [ended('main', 3), ended('other', 5)] } }), 5);
  const initContainerStatuses = [ended('once', 9), ended('sidecar', 7)];
  assert.equal(
    of({ spec: { containers: [], initContainers }, status: { containerStatuses: [ended('main', 3)], initContainerStatuses } }),
    7,
  );
  const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: at(11) }];
  assert.equal(of({ status: { conditions } }), 11);
  assert.equal(of({ status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(11) }] } }), 0, 'when it was made');
  assert.equal(of({ status: {} }, { deletionTimestamp: at(40), deletionGracePeriodSeconds: 30 }), 10);
  assert.equal(of({ status: {} }, { deletionTimestamp: at(40) }), 40);
  assert.equal(of({ status: {} }, { creationTimestamp: at(2) }), 2);
  assert.equal(finishedAt({ metadata: { name: 'a' } } as Pod), 0);
});

test('earlierFailures() reads only what can be a count', () => {
  const marked = (counted: string, ignored: string): Pod => {
    const base = pod('a');
    return {
      ...base,
      metadata: { ...base.metadata, annotations: { [indexFailuresAnnotation]: counted, [ignoredIndexFailuresAnnotation]: ignored } },
    };
  };
  assert.deepEqual(earlierFailures(marked('3', '4')), { counted: 3, ignored: 4 });
  assert.deepEqual(earlierFailures(marked('9999999999', '-1')), { counted: 2 ** 31 - 1, ignored: 0 });
  assert.deepEqual(earlierFailures(pod('a')), { counted: 0, ignored: 0 });
});
