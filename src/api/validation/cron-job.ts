/** CronJobs of batch/v1. */

import { parseSchedule } from '../schedule/schedule.ts';
import { knowsTimeZone } from '../schedule/wall-time.ts';
import type { CronJob } from '../schema/types.ts';
import { type FieldError, invalid, nonNegatives, notSupported, oneOf, required, tooLong } from './field-error.ts';
import { jobSpecErrors } from './job.ts';

const maxNameLength = 52;
/** Upstream has no limit. A schedule that writes out every minute, hour, day and month has 350 bytes. */
const maxScheduleBytes = 1024;
const zonePart = /^[A-Za-z.\-_0-9+]{1,14}$/;

export function cronJobErrors(cronJob: CronJob): FieldError[] {
  const errors = cronJobUpdateErrors(cronJob);
  const { name } = cronJob.metadata;
  // The name of a Job is that of its CronJob and eleven characters more.
  if (name && name.length > maxNameLength) errors.push(invalid('metadata.name', name, `must be no more than ${maxNameLength} characters`));
  return errors;
}

export function cronJobUpdateErrors({ spec }: CronJob, old?: CronJob): FieldError[] {
  const errors = [...scheduleErrors(spec, old?.spec?.schedule.includes('TZ') ?? false)];
  if (!old || old.spec?.timeZone !== spec?.timeZone) errors.push(...timeZoneErrors(spec?.timeZone));
  errors.push(...oneOf(spec?.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']));
  errors.push(...nonNegatives(spec, 'spec', 'startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'));
  const template = spec?.jobTemplate?.spec;
  if (!template) return [...errors, required('spec.jobTemplate.spec.template.spec.containers')];
  errors.push(...jobSpecErrors(template, 'spec.jobTemplate.spec'));
  // Each Job gets a selector of its own.
  if (template.selector) errors.push(invalid('spec.jobTemplate.spec.selector', template.selector, '`selector` will be auto-generated'));
  if (template.manualSelector) errors.push(notSupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false']));
  return errors;
}

function scheduleErrors(spec: CronJob['spec'], hadZone: boolean): FieldError[] {
  const at = 'spec.schedule';
  const schedule = spec?.schedule;
  if (!schedule) return [required(at)];
  if (Buffer.byteLength(schedule) > maxScheduleBytes) return [tooLong(at, maxScheduleBytes)];
  const errors: FieldError[] = [];
  try {
    parseSchedule(schedule);
  } catch (err) {
    errors.push(invalid(at, schedule, err instanceof Error ? err.message : String(err)));
  }
  if (!schedule.includes('TZ')) return errors;
  if (!hadZone) errors.push(invalid(at, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  else if (spec.timeZone !== undefined) {
    errors.push(invalid(at, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  }
  return errors;
}

function timeZoneErrors(timeZone: string | undefined): FieldError[] {
  const at = 'spec.timeZone';
  if (timeZone === undefined) return [];
  if (timeZone === '') return [invalid(at, timeZone, 'timeZone must be nil or non-empty string')];
  const unknown = [invalid(at, timeZone, `unknown time zone ${timeZone}`)];
  const malformed = timeZone.split('/').some((part) => part === '.' || part === '..' || part.startsWith('-') || !zonePart.test(part));
  if (malformed) return unknown;
  if (timeZone.toLowerCase() === 'local') {
    return [invalid(at, timeZone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones')];
  }
  // Offsets such as +01:00 have no such name.
  return knowsTimeZone(timeZone) && !/^[+-]/.test(timeZone) ? [] : unknown;
}
