/** services and endpoints. */
import { endpointsColumns, serviceColumns } from '../../columns/network-columns.ts';
import { defaultEndpoints } from '../../defaults/core.ts';
import { defaultService } from '../../defaults/service.ts';
import { endpoints, services } from '../../resource-types.ts';
import { endpointsErrors } from '../../validation/endpoints.ts';
import { nameIsDns1035Label } from '../../validation/names.ts';
import { serviceErrors, serviceStatusErrors, serviceUpdateErrors } from '../../validation/service.ts';
import { serviceWarnings } from '../../warnings/other.ts';
import { defineRow, special } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';
import { dropInternalTrafficPolicy, prepareServiceUpdate } from './service-update.ts';

export const serviceRows: readonly ResourceRow[] = [
  defineRow({
    type: endpoints,
    deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    singular: 'endpoints',
    shortNames: ['ep'],
    createsOnUpdate: true,
    columns: endpointsColumns,
    applyDefaults: defaultEndpoints,
    validate: endpointsErrors,
  }),
  defineRow({
    type: services,
    returnsDeleted: true,
    shortNames: ['svc'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { loadBalancer: {} },
    generationOf: undefined,
    createsOnUpdate: true,
    subresources: [special('proxy', ['create', 'delete', 'get', 'patch', 'update'], 'v1', 'ServiceProxyOptions')],
    selectableFields: {
      'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
      'spec.type': ({ spec }) => spec?.type ?? '',
    },
    columns: serviceColumns,
    applyDefaults: defaultService,
    validateName: nameIsDns1035Label,
    warnings: serviceWarnings,
    validate: serviceErrors,
    validateUpdate: serviceUpdateErrors,
    validateStatus: serviceStatusErrors,
    prepareCreate: ({ spec }) => {
      if (spec) dropInternalTrafficPolicy(spec);
    },
    prepareUpdate: prepareServiceUpdate,
  }),
];
