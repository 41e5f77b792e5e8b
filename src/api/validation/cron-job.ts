/** CronJobs of batch/v1. */
import type { CronJob } from '../schema/types.ts';
import { type FieldError, invalid, nonNegative, notSupported, oneOf, required } from './field-error.ts';
import { jobSpecErrors } from './job.ts';

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
  );
  const template = spec?.jobTemplate?.spec;
  if (!template) return [...errors, required('spec.jobTemplate.spec.template.spec.containers')];
  errors.push(...jobSpecErrors(template, 'spec.jobTemplate.spec'));
  // Each job it makes selects its own pods.
  if (template.selector) errors.push(invalid('spec.jobTemplate.spec.selector', template.selector, '`selector` will be auto-generated'));
  if (template.manualSelector) errors.push(notSupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false']));
  return errors;
}
