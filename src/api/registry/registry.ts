/** All resources, in the order of discovery. A new resource is a row in one of the files of `rows/`. */
import type { ResourceRow } from './resource-row.ts';
import { appsRows } from './rows/apps.ts';
import { autoscalingRows } from './rows/autoscaling.ts';
import { batchRows } from './rows/batch.ts';
import { coordinationRows } from './rows/coordination.ts';
import { coreRows } from './rows/core.ts';
import { deviceRows } from './rows/devices.ts';
import { eventRows } from './rows/events.ts';
import { networkingRows } from './rows/networking.ts';
import { podRows } from './rows/pods.ts';
import { rbacRows } from './rows/rbac.ts';
import { reviewRows } from './rows/reviews.ts';
import { serviceRows } from './rows/services.ts';
import { smallGroupRows } from './rows/small-groups.ts';

export const rows: readonly ResourceRow[] = [
  ...coreRows,
  ...podRows,
  ...serviceRows,
  ...eventRows,
  ...appsRows,
  ...autoscalingRows,
  ...batchRows,
  ...coordinationRows,
  ...networkingRows,
  ...smallGroupRows,
  ...deviceRows,
  ...rbacRows,
  ...reviewRows,
];

const byResource = new Map(rows.map((row) => [`${row.type.group}/${row.type.version}/${row.type.resource}`, row]));
const byKind = new Map(rows.map((row) => [`${apiVersionOfRow(row)}/${row.type.kind}`, row]));

/** `rowOf('apps', 'v1', 'deployments')`; the core group is ''. */
export function rowOf(group: string, version: string, resource: string): ResourceRow | undefined {
  return byResource.get(`${group}/${version}/${resource}`);
}

/** `rowOfKind('apps/v1', 'Deployment')`. */
export function rowOfKind(apiVersion: string, kind: string): ResourceRow | undefined {
  return byKind.get(`${apiVersion}/${kind}`);
}

function apiVersionOfRow(row: ResourceRow): string {
  return row.type.group ? `${row.type.group}/${row.type.version}` : row.type.version;
}
