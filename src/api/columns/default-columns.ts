/** The Table of a resource for which upstream has no printer: NAME and CREATED AT (Roles, LimitRanges). */
import type { Columns } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import { age, column, columnsOf } from './columns.ts';

/** NAME and AGE. */
export function ageColumns<T extends KubeObject>(): Columns<T> {
  return columnsOf<T>([age()]);
}

export const defaultColumns: Columns = columnsOf([
  column('Created At', (object) => object.metadata.creationTimestamp ?? null, { type: 'date' }),
]);
