/** The Table of a resource for which upstream has no printer: NAME and CREATED AT (Roles, LimitRanges). */
import type { Columns } from '../registry/resource-row.ts';
import { column, columnsOf } from './columns.ts';

export const defaultColumns: Columns = columnsOf([
  column('Created At', (object) => object.metadata.creationTimestamp ?? null, { type: 'date' }),
]);
