/** batch/v1. */
import type { CronJob, Job } from '../schema/types.ts';
import { type FieldError, invalid, nonNegative, notSupported, oneOf, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { immutable } from './object-meta.ts';
import { templateErrors } from './pod.ts';

export function jobErrors({ spec }: Job): FieldError[] {
  if (!spec) return [required('spec.template.spec.containers')];
  const errors = [
    ...nonNegative(spec.parallelism, 'spec.parallelism'),
    ...nonNegative(spec.completions, 'spec.completions'),
    ...nonNegative(spec.activeDeadlineSeconds, 'spec.activeDeadlineSeconds'),
    ...nonNegative(spec.backoffLimit, 'spec.backoffLimit'),
    ...nonNegative(spec.ttlSecondsAfterFinished, 'spec.ttlSecondsAfterFinished'),
    ...selectorErrors(spec.selector, 'spec.selector'),
    ...templateErrors(spec.template, 'spec.template'),
  ];
  const policy = spec.template?.spec?.restartPolicy;
  if (policy !== 'OnFailure' && policy !== 'Never') {
    const at = 'spec.template.spec.restartPolicy';
    errors.push(
      policy === 'Always' ? required(at, 'valid values: "OnFailure", "Never"') : notSupported(at, policy, ['OnFailure', 'Never']),
    );
  }
  return errors;
}

export function jobUpdateErrors(next: Job, old: Job): FieldError[] {
  const errors = [...immutable(next.spec?.selector, old.spec?.selector, 'spec.selector')];
  if (!old.spec?.suspend) errors.push(...immutable(next.spec?.template, old.spec?.template, 'spec.template'));
  if (next.spec?.completionMode !== 'Indexed') errors.push(...immutable(next.spec?.completions, old.spec?.completions, 'spec.completions'));
  errors.push(...immutable(next.spec?.completionMode, old.spec?.completionMode, 'spec.completionMode'));
  return [...jobErrors(next), ...errors];
}

export function cronJobErrors({ spec, metadata }: CronJob): FieldError[] {
  const errors: FieldError[] = [];
  // The jobs it makes add eleven characters to its name.
  if (metadata.name && metadata.name.length > 52)
    errors.push(invalid('metadata.name', metadata.name, 'must be no more than 52 characters'));
  if (!spec?.schedule) errors.push(required('spec.schedule'));
  else if (!/^(@\w+( \w+)?|\S+(\s+\S+){4})$/.test(spec.schedule.trim())) {
    const found = spec.schedule.trim().split(/\s+/);
    errors.push(invalid('spec.schedule', spec.schedule, `expected exactly 5 fields, found ${found.length}: [${found.join(' ')}]`));
  }
  errors.push(...oneOf(spec?.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']));
  errors.push(
    ...nonNegative(spec?.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'),
    ...nonNegative(spec?.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...nonNegative(spec?.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
    ...templateErrors(spec?.jobTemplate?.spec?.template, 'spec.jobTemplate.spec.template'),
  );
  const policy = spec?.jobTemplate?.spec?.template?.spec?.restartPolicy;
  if (policy === 'Always') errors.push(required('spec.jobTemplate.spec.template.spec.restartPolicy', 'valid values: "OnFailure", "Never"'));
  return errors;
}
