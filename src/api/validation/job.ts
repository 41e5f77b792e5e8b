/** Jobs of batch/v1, and the spec that they share with the template of a CronJob. */
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import type { Job, JobSpec, PodTemplateSpec } from '../schema/types.ts';
import { labelSelectorOf } from '../selector/label.ts';
import { type FieldError, failing, invalid, nonNegatives, notSupported, required, tooLong } from './field-error.ts';
import { domainPathErrors, matchErrors, selectorErrors } from './formats.ts';
import { jobPolicyErrors } from './job-policy.ts';
import { isDns1123Label } from './names.ts';
import { immutable, immutableFields } from './object-meta.ts';
import { templateErrors } from './pod.ts';

const maxIndexed = 100_000;
/** A Job with a back-off limit per index and more completions than this may have fewer pods at once and fewer failed indexes. */
const manyCompletions = 100_000;
const limitForMany = 10_000;
const maxManagedByBytes = 63;

export function jobErrors(job: Job): FieldError[] {
  const { metadata, spec } = job;
  if (!spec) return [required('spec.template.spec.containers')];
  const errors = [...generatedSelectorErrors(job), ...jobSpecErrors(spec, 'spec')];
  if (!spec.selector) errors.push(required('spec.selector'));
  else {
    const malformed = selectorErrors(spec.selector, 'spec.selector');
    errors.push(...(malformed.length > 0 ? malformed : matchErrors(labelSelectorOf(spec.selector), spec.template)));
  }
  if (spec.completionMode === 'Indexed' && spec.completions) {
    const last = `${metadata.name ?? ''}-${spec.completions - 1}`;
    if (isDns1123Label(last).length > 0) {
      errors.push(invalid('metadata.name', metadata.name, `will not able to create pod with invalid DNS label: ${last}`));
    }
  }
  return errors;
}

const immutablePaths = ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'].map(
  (key) => `spec.${key}`,
);

export function jobUpdateErrors(next: Job, old: Job): FieldError[] {
  const [now, was] = [next.spec, old.spec];
  if (!now || !was) return jobErrors(next);
  const errors: FieldError[] = [];
  if (now.completionMode !== 'Indexed') errors.push(...immutable(now.completions, was.completions, 'spec.completions'));
  else if (now.completions !== undefined && now.completions !== was.completions && now.completions !== now.parallelism) {
    errors.push(invalid('spec.completions', now.completions, 'can only be modified in tandem with spec.parallelism'));
  }
  errors.push(...immutable(now.selector, was.selector, 'spec.selector'));
  // Until a suspended Job has started, the scheduling directives of its template may still change.
  const open = was.suspend === true && old.status?.startTime === undefined;
  errors.push(...immutable(now.template, open ? withDirectivesOf(was.template, now.template) : was.template, 'spec.template'));
  return [...jobErrors(next), ...errors, ...immutableFields(next, old, immutablePaths)];
}

/** Errors of a Job's spec without its selector, which the template of a CronJob must not have. */
export function jobSpecErrors(spec: JobSpec, path: string): FieldError[] {
  const { maxFailedIndexes, backoffLimitPerIndex } = spec;
  const noLimit = maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined;
  return [
    ...nonNegatives(spec, path, 'parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'),
    ...nonNegatives(spec, path, 'backoffLimitPerIndex', 'maxFailedIndexes'),
    ...failing([[noLimit, () => required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]]),
    ...managedByErrors(spec.managedBy, `${path}.managedBy`),
    ...modeErrors(spec, path),
    ...jobPolicyErrors(spec, path),
    ...templateErrors(spec.template, `${path}.template`),
    ...restartErrors(spec, `${path}.template.spec.restartPolicy`),
  ];
}

function modeErrors(spec: JobSpec, path: string): FieldError[] {
  switch (spec.completionMode ?? 'NonIndexed') {
    case 'NonIndexed':
      return (['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
        .filter((key) => spec[key] !== undefined)
        .map((key) => invalid(`${path}.${key}`, spec[key], 'requires indexed completion mode'));
    case 'Indexed':
      return [...indexedErrors(spec, path), ...manyIndexesErrors(spec, path)];
    default:
      return [notSupported(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed'])];
  }
}

function indexedErrors({ completions, parallelism = 0, maxFailedIndexes = 0 }: JobSpec, path: string): FieldError[] {
  const atMost = `must be less than or equal to ${maxIndexed}`;
  const at = `${path}.maxFailedIndexes`;
  return failing([
    [completions === undefined, () => required(`${path}.completions`, 'when completion mode is Indexed')],
    [parallelism > maxIndexed, () => invalid(`${path}.parallelism`, parallelism, `${atMost} when completion mode is Indexed`)],
    [
      completions !== undefined && maxFailedIndexes > completions,
      () => invalid(at, maxFailedIndexes, 'must be less than or equal to completions'),
    ],
    [maxFailedIndexes > maxIndexed, () => invalid(at, maxFailedIndexes, atMost)],
  ]);
}

/** With a limit for each index the status lists the failed ones: that of a Job with many indexes would grow too large. */
function manyIndexesErrors(spec: JobSpec, path: string): FieldError[] {
  const { completions = 0, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (completions <= manyCompletions || backoffLimitPerIndex === undefined) return [];
  const tooHigh = `must be less than or equal to ${limitForMany} when completions are above ${manyCompletions} and used with backoff limit per index`;
  const at = `${path}.maxFailedIndexes`;
  return failing([
    [maxFailedIndexes === undefined, () => required(at, `must be specified when completions is above ${manyCompletions}`)],
    [parallelism > limitForMany, () => invalid(`${path}.parallelism`, parallelism, tooHigh)],
    [(maxFailedIndexes ?? 0) > limitForMany, () => invalid(at, maxFailedIndexes, tooHigh)],
  ]);
}

function restartErrors({ template, podFailurePolicy }: JobSpec, path: string): FieldError[] {
  const policy = template?.spec?.restartPolicy;
  if (!policy || policy === 'Always') return [required(path, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(path, policy, ['OnFailure', 'Never'])];
  if (!podFailurePolicy || policy === 'Never') return [];
  return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')];
}

function managedByErrors(name: string | undefined, path: string): FieldError[] {
  if (name === undefined) return [];
  return [...domainPathErrors(name, path), ...(Buffer.byteLength(name) > maxManagedByBytes ? [tooLong(path, maxManagedByBytes)] : [])];
}

/** Without `manualSelector` the selector and the template's labels must be those that the server generated. */
function generatedSelectorErrors({ metadata, spec }: Job): FieldError[] {
  if (!spec?.selector || spec.manualSelector) return [];
  const { name = '', uid = '' } = metadata;
  const labels = spec.template?.metadata?.labels ?? {};
  const generated: Readonly<Record<string, string>> = {
    'controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
  };
  const errors = Object.entries(generated).flatMap(([key, value]) => {
    const path = `spec.template.metadata.labels[${key}]`;
    if (labels[key] === undefined) return [required(path, `must be '${value}'`)];
    return labels[key] === value ? [] : [invalid(path, labels, `must be '${value}'`)];
  });
  if (selectorErrors(spec.selector, '').length === 0 && !labelSelectorOf(spec.selector).matches(generated)) {
    errors.push(invalid('spec.selector', spec.selector, '`selector` not auto-generated'));
  }
  return errors;
}

/** The template `old` with the scheduling directives of `next`. */
function withDirectivesOf(old: PodTemplateSpec, next: PodTemplateSpec): PodTemplateSpec {
  const made = cloneJson(old);
  if (!made.spec || !next.spec) return made;
  for (const key of ['nodeSelector', 'tolerations', 'schedulingGates'] as const) takeOver(made.spec, next.spec, key);
  made.metadata ??= {};
  for (const key of ['labels', 'annotations'] as const) takeOver(made.metadata, next.metadata ?? {}, key);
  if (!next.metadata && Object.keys(made.metadata).length === 0) delete made.metadata;
  made.spec.affinity ??= {};
  takeOver(made.spec.affinity, next.spec.affinity ?? {}, 'nodeAffinity');
  if (!next.spec.affinity && Object.keys(made.spec.affinity).length === 0) delete made.spec.affinity;
  return made;
}
