import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beforeCreate, beforeUpdate } from '../registry/lifecycle.ts';
import { Registry } from '../registry/registry.ts';
import type { Job, JobSpec } from '../schema/types.ts';
import { textOf } from './field-error.ts';

const registry = new Registry();

const row = registry.rowOfKind('batch/v1', 'Job')!;
const uid = '8e6c0f4e-0001';
const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'box:1' }] } };

function jobOf(spec: Partial<JobSpec>, metadata: object = {}): Job {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'pi', namespace: 'default', ...metadata }, spec: { template, ...spec } };
}

function created(spec: Partial<JobSpec>, metadata: object = {}): { job: Job; errors: string[] } {
  const job = structuredClone(jobOf(spec, metadata));
  row.applyDefaults(job);
  const errors = beforeCreate(row, job, { now: new Date('2026-01-01T00:00:00Z'), uid });
  return { job: structuredClone(job), errors: errors.map(textOf) };
}

test('a Job gets a selector, labels and defaults of its own', () => {
  const { job, errors } = created({});
  assert.deepEqual(errors, []);
  const labels = {
    'batch.kubernetes.io/controller-uid': uid,
    'controller-uid': uid,
    'batch.kubernetes.io/job-name': 'pi',
    'job-name': 'pi',
  };
  assert.deepEqual(job.spec?.selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } });
  assert.deepEqual(job.spec?.template.metadata?.labels, labels);
  assert.deepEqual(job.metadata.labels, labels);
  const { template: _template, selector: _selector, ...rest } = job.spec!;
  assert.deepEqual(rest, {
    completions: 1,
    parallelism: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: 'TerminatingOrFailed',
  });
  assert.equal(created({ completionMode: 'Indexed', completions: 3, backoffLimitPerIndex: 1 }).job.spec?.backoffLimit, 2 ** 31 - 1);
  assert.deepEqual(created({}, { labels: { app: 'mine' } }).job.metadata.labels, { app: 'mine' });
  const labelled = created({ template: { ...template, metadata: { labels: { app: 'web' } } } }).job;
  assert.deepEqual(labelled.metadata.labels, { app: 'web', ...labels });
});

const rules = (...list: readonly object[]): Partial<JobSpec> => ({ podFailurePolicy: { rules: list as never } });
const indexed = { completionMode: 'Indexed', completions: 3 };

const creates: readonly [string, Partial<JobSpec>, readonly string[]][] = [
  [
    'pods that always restart',
    { template: { spec: { ...template.spec, restartPolicy: 'Always' } } },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [
    'negative numbers',
    { parallelism: -1, backoffLimit: -2 },
    [
      'spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
      'spec.backoffLimit: Invalid value: -2: must be greater than or equal to 0',
    ],
  ],
  [
    'Indexed without completions',
    { completionMode: 'Indexed', parallelism: 1 },
    ['spec.completions: Required value: when completion mode is Indexed'],
  ],
  [
    'an unknown mode',
    { completionMode: 'Sorted' },
    ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
  ],
  [
    'a limit per index without indexes',
    { backoffLimitPerIndex: 1 },
    ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
  ],
  [
    'failed indexes without a limit',
    { ...indexed, maxFailedIndexes: 1 },
    ['spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified'],
  ],
  [
    'a selector of its own',
    { selector: { matchLabels: { a: 'b' } } },
    [
      'spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"8e6c0f4e-0001"}}: `selector` not auto-generated',
      'spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"8e6c0f4e-0001","controller-uid":"8e6c0f4e-0001","batch.kubernetes.io/job-name":"pi","job-name":"pi"}: `selector` does not match template `labels`',
    ],
  ],
  [
    'a selector that it may choose',
    { manualSelector: true, selector: { matchLabels: { a: 'b' } }, template: { ...template, metadata: { labels: { a: 'b' } } } },
    [],
  ],
  ['no selector although it chooses', { manualSelector: true }, ['spec.selector: Required value']],
  [
    'the label of another job',
    { template: { ...template, metadata: { labels: { 'job-name': 'tau' } } } },
    [
      `spec.template.metadata.labels[job-name]: Invalid value: {"job-name":"tau","batch.kubernetes.io/controller-uid":"${uid}","controller-uid":"${uid}","batch.kubernetes.io/job-name":"pi"}: must be 'pi'`,
    ],
  ],
  [
    'a manager without a domain',
    { managedBy: 'me' },
    ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    'a failure policy',
    rules(
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [1, 42] } },
    ),
    [],
  ],
  [
    'a rule without a match',
    rules({ action: 'Sometimes' }),
    [
      'spec.podFailurePolicy.rules[0].action: Unsupported value: "Sometimes": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
      'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
    ],
  ],
  [
    'exit codes out of order',
    rules({ action: 'Count', onExitCodes: { operator: 'In', containerName: 'b', values: [3, 0, 3] } }),
    [
      'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "b": must be one of the container or initContainer names in the pod template',
      'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator',
      'spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 3',
      'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0,3]: must be ordered',
    ],
  ],
  [
    'a failure policy for pods that restart',
    {
      ...rules({ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }),
      template: { spec: { ...template.spec, restartPolicy: 'OnFailure' } },
    },
    ['spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified'],
  ],
  [
    'success of indexes that are not there',
    { ...indexed, successPolicy: { rules: [{ succeededIndexes: '0,2-5', succeededCount: 9 }] } },
    [
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0,2-5": error parsing succeededIndexes: too large index: "5"',
      'spec.successPolicy.rules[0].succeededCount: Invalid value: 9: must be less than or equal to 3 (the number of specified completions)',
      'spec.successPolicy.rules[0].succeededCount: Invalid value: 9: must be less than or equal to 0 (the number of indexes in the specified succeededIndexes field)',
    ],
  ],
];

for (const [name, spec, wanted] of creates) test(`job: ${name}`, () => assert.deepEqual(created(spec).errors, wanted));

test('job: an Indexed one needs a name that its pods can have', () => {
  const name = 'a.b';
  assert.deepEqual(created(indexed, { name }).errors, [
    'metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-2',
  ]);
});

const other = (more: object): JobSpec['template'] => ({ spec: { ...template.spec, ...more } });
const updates: readonly [string, Partial<JobSpec>, Partial<JobSpec>, Job['status'], readonly string[]][] = [
  ['parallelism', {}, { parallelism: 3 }, {}, []],
  ['completions', {}, { completions: 3 }, {}, ['spec.completions: Invalid value: 3: field is immutable']],
  [
    'completions of an Indexed one alone',
    { ...indexed, parallelism: 3 },
    { ...indexed, parallelism: 3, completions: 5 },
    {},
    ['spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism'],
  ],
  ['completions of an Indexed one in tandem', { ...indexed, parallelism: 3 }, { ...indexed, parallelism: 5, completions: 5 }, {}, []],
  ['the mode', indexed, { completions: 3 }, {}, ['spec.completionMode: Invalid value: "NonIndexed": field is immutable']],
  [
    'where the pods of a suspended job may run',
    { suspend: true },
    { suspend: true, template: other({ nodeSelector: { a: 'b' }, affinity: { nodeAffinity: {} } }) },
    {},
    [],
  ],
];

for (const [name, before, after, status, wanted] of updates) {
  test(`job update: ${name}`, () => {
    const { job: old } = created(before);
    const next = structuredClone(old);
    next.spec = { ...next.spec!, ...structuredClone(after) };
    if (after.completionMode === undefined && before.completionMode) next.spec.completionMode = 'NonIndexed';
    next.spec.template.metadata = old.spec?.template.metadata;
    row.applyDefaults(next);
    old.status = status;
    assert.deepEqual(beforeUpdate(row, next, old).map(textOf), wanted);
  });
}

test('job update: a suspended job whose template has no metadata may be told to run', () => {
  const { job: old } = created({ suspend: true, manualSelector: true, selector: {} });
  assert.equal(old.spec?.template.metadata, undefined);
  const next = structuredClone(old);
  next.spec!.suspend = false;
  assert.deepEqual(beforeUpdate(row, next, old).map(textOf), []);
});

test('job update: the template of a job that runs stays', () => {
  const { job: old } = created({});
  const next = structuredClone(old);
  next.spec!.template.spec!.nodeSelector = { a: 'b' };
  const [text] = beforeUpdate(row, next, old).map(textOf);
  assert.match(text!, /^spec\.template: Invalid value: .*: field is immutable$/);
});
