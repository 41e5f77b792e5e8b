/** resource.k8s.io/v1: devices, and claims to them. Nothing here hands out devices; kube-scheduler and a DRA driver do, and keep their objects here. */
import { deviceClaimColumns, resourceSliceColumns } from '../../columns/device-columns.ts';
import { defaultDeviceClaim } from '../../defaults/device.ts';
import { deviceClasses, resourceClaims, resourceClaimTemplates, resourceSlices } from '../../resource-types.ts';
import {
  claimTemplateObjectErrors,
  deviceClassErrors,
  resourceClaimErrors,
  resourceSliceErrors,
  resourceSliceUpdateErrors,
} from '../../validation/device.ts';
import { immutable } from '../../validation/object-meta.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const deviceRows: readonly ResourceRow[] = [
  defineRow({ type: deviceClasses, generationOf: ({ spec }) => spec, validate: deviceClassErrors }),
  defineRow({
    type: resourceClaims,
    schema: 'ResourceV1ResourceClaim',
    hasStatus: true,
    generationOf: undefined,
    columns: deviceClaimColumns,
    applyDefaults: ({ spec }) => defaultDeviceClaim(spec?.devices),
    validate: resourceClaimErrors,
    // What was asked for stays.
    validateUpdate: (next, old) => immutable(next.spec, old.spec, 'spec'),
  }),
  defineRow({
    type: resourceClaimTemplates,
    applyDefaults: ({ spec }) => defaultDeviceClaim(spec?.spec?.devices),
    validate: claimTemplateObjectErrors,
    validateUpdate: (next, old) => immutable(next.spec, old.spec, 'spec'),
  }),
  defineRow({
    type: resourceSlices,
    generationOf: ({ spec }) => spec,
    selectableFields: { 'spec.nodeName': ({ spec }) => spec?.nodeName ?? '', 'spec.driver': ({ spec }) => spec?.driver ?? '' },
    columns: resourceSliceColumns,
    validate: resourceSliceErrors,
    validateUpdate: resourceSliceUpdateErrors,
  }),
];
