/** batch/v1. */
import { cronJobColumns, jobColumns } from '../../columns/workload-columns.ts';
import { defaultCronJob, defaultJob } from '../../defaults/workloads.ts';
import { cronJobs, jobs } from '../../resource-types.ts';
import type { Job } from '../../schema/types.ts';
import { cronJobErrors, jobErrors, jobUpdateErrors } from '../../validation/batch.ts';
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
    validate: cronJobErrors,
  }),
  defineRow({
    type: jobs,
    categories: ['all'],
    hasStatus: true,
    selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
    columns: jobColumns,
    applyDefaults: defaultJob,
    validate: jobErrors,
    validateUpdate: jobUpdateErrors,
    prepareCreate: selectOwnPods,
    // Kept for clients that were written before garbage collection.
    defaultPropagation: 'Orphan',
  }),
];

/** A job selects its pods by its own uid, so that no two jobs ever share one. */
function selectOwnPods({ spec, metadata }: Job): void {
  if (!spec || spec.manualSelector || !metadata.uid) return;
  const uidLabel = 'batch.kubernetes.io/controller-uid';
  if (!spec.template) return;
  spec.template.metadata ??= {};
  spec.template.metadata.labels = {
    ...spec.template.metadata.labels,
    [uidLabel]: metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name,
    'controller-uid': metadata.uid,
    'job-name': metadata.name,
  };
  spec.selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [uidLabel]: metadata.uid } };
}
