/** batch/v1. */
import { cronJobColumns, jobColumns } from '../../columns/workload-columns.ts';
import { defaultCronJob, defaultJob } from '../../defaults/workloads.ts';
import { cronJobs, jobs } from '../../resource-types.ts';
import type { Job } from '../../schema/types.ts';
import { cronJobErrors, cronJobUpdateErrors } from '../../validation/cron-job.ts';
import { jobErrors, jobUpdateErrors } from '../../validation/job.ts';
import { cronJobWarnings, workloadWarnings } from '../../warnings/other.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const batchRows: readonly ResourceRow[] = [
  defineRow({
    type: cronJobs,
    shortNames: ['cj'],
    categories: ['all'],
    hasStatus: true,
    columns: cronJobColumns,
    applyDefaults: defaultCronJob,
    warnings: cronJobWarnings,
    validate: cronJobErrors,
    validateUpdate: (next, old) => cronJobUpdateErrors(next, old),
  }),
  defineRow({
    type: jobs,
    categories: ['all'],
    hasStatus: true,
    selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
    unknownField: (path) => `field label ${JSON.stringify(path)} not supported for Job`,
    columns: jobColumns,
    applyDefaults: defaultJob,
    warnings: (object) => workloadWarnings(object),
    validate: jobErrors,
    validateUpdate: jobUpdateErrors,
    prepareCreate: selectOwnPods,
    // Kept for clients that were written before garbage collection.
    defaultPropagation: 'Orphan',
    deletionWarning:
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  }),
];

/**
 * A job selects its pods by its own uid, so that no two jobs ever share one. Labels that its maker gave are left alone: validation
 * refuses those that disagree.
 */
function selectOwnPods({ spec, metadata }: Job): void {
  if (!spec?.template || spec.manualSelector || !metadata.uid) return;
  // A job without a name is refused by and by, for its name alone.
  const { name = '', uid } = metadata;
  spec.template.metadata ??= {};
  // In place: labels that the job got from its template (see the defaults) get these, too.
  spec.template.metadata.labels ??= {};
  const { labels } = spec.template.metadata;
  for (const key of ['batch.kubernetes.io/controller-uid', 'controller-uid']) labels[key] ??= uid;
  for (const key of ['batch.kubernetes.io/job-name', 'job-name']) labels[key] ??= name;
  if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels['batch.kubernetes.io/controller-uid'] ??= uid;
}
