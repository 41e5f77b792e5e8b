import type { Job, JobCondition } from '../../api/schema/types.ts';

/** The condition that ended the job, `Complete` or `Failed`; undefined while it goes on. */
export function endOf({ status }: Job): JobCondition | undefined {
  return status?.conditions?.find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
}
