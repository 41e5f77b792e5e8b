/** resource.k8s.io/v1: devices, and claims to them. Nothing here hands out devices; kube-scheduler and a DRA driver do, and keep their objects here. */
import { deviceClaimColumns, resourceSliceColumns } from '../../columns/device-columns.ts';
import { deviceClasses, resourceClaims, resourceClaimTemplates, resourceSlices } from '../../resource-types.ts';
import { immutable } from '../../validation/object-meta.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const deviceRows: readonly ResourceRow[] = [
  defineRow({ type: deviceClasses, generationOf: ({ spec }) => spec }),
  defineRow({
    type: resourceClaims,
    schema: 'ResourceV1ResourceClaim',
    hasStatus: true,
    generationOf: undefined,
    columns: deviceClaimColumns,
    validateUpdate: (next, old) => immutable(next.spec, old.spec, 'spec'),
  }),
  defineRow({ type: resourceClaimTemplates, validateUpdate: (next, old) => immutable(next.spec, old.spec, 'spec') }),
  defineRow({
    type: resourceSlices,
    generationOf: ({ spec }) => spec,
    selectableFields: { 'spec.nodeName': ({ spec }) => spec?.nodeName ?? '', 'spec.driver': ({ spec }) => spec?.driver ?? '' },
    columns: resourceSliceColumns,
  }),
];
