/** coordination.k8s.io/v1. */
import { leaseColumns } from '../../columns/cluster-columns.ts';
import { leases } from '../../resource-types.ts';
import type { Lease } from '../../schema/types.ts';
import { type FieldError, invalid } from '../../validation/field-error.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const coordinationRows: readonly ResourceRow[] = [
  defineRow({
    type: leases,
    createsOnUpdate: true,
    updatesUnconditionally: false,
    validate: leaseErrors,
    columns: leaseColumns,
  }),
];

function leaseErrors({ spec }: Lease): FieldError[] {
  const errors: FieldError[] = [];
  if (spec?.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'));
  }
  if (spec?.leaseTransitions !== undefined && spec.leaseTransitions < 0) {
    errors.push(invalid('spec.leaseTransitions', spec.leaseTransitions, 'must be greater than or equal to 0'));
  }
  return errors;
}
