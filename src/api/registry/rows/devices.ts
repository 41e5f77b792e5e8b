/** resource.k8s.io/v1 (DRA). Devices are allocated by kube-scheduler and prepared by a DRA driver; only their objects are kept here. */
import { ageColumns } from '../../columns/default-columns.ts';
import { deviceClaimColumns, resourceSliceColumns } from '../../columns/device-columns.ts';
import { defaultDeviceClaim } from '../../defaults/device.ts';
import { deviceClasses, resourceClaims, resourceClaimTemplates, resourceSlices } from '../../resource-types.ts';
import type { DeviceClass, ResourceClaimTemplate } from '../../schema/types.ts';
import { claimTemplateObjectErrors, deviceClassErrors, resourceClaimErrors, resourceSliceErrors } from '../../validation/device.ts';
import { immutable } from '../../validation/object-meta.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const deviceRows: readonly ResourceRow[] = [
  defineRow({
    type: deviceClasses,
    returnsDeleted: true,
    columns: ageColumns<DeviceClass>(),
    generationOf: ({ spec }) => spec,
    validate: deviceClassErrors,
  }),
  defineRow({
    type: resourceClaims,
    statusKeepsLabels: true,
    returnsDeleted: true,
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
    columns: ageColumns<ResourceClaimTemplate>(),
    returnsDeleted: true,
    applyDefaults: ({ spec }) => defaultDeviceClaim(spec?.spec?.devices),
    validate: claimTemplateObjectErrors,
    validateUpdate: (next, old) => immutable(next.spec, old.spec, 'spec'),
  }),
  defineRow({
    type: resourceSlices,
    returnsDeleted: true,
    generationOf: ({ spec }) => spec,
    selectableFields: { 'spec.nodeName': ({ spec }) => spec?.nodeName ?? '', 'spec.driver': ({ spec }) => spec?.driver ?? '' },
    unknownField: (path) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${path}`,
    columns: resourceSliceColumns,
    validate: resourceSliceErrors,
    immutable: ['spec.pool.name', 'spec.driver', 'spec.nodeName'],
  }),
];
