/** apiregistration.k8s.io/v1. */
import {
  type ApiService,
  apiServiceErrors,
  apiServiceSchema,
  apiServices,
  availabilityOf,
  localAvailability,
  statusErrors,
  withAvailability,
} from '../../aggregation/aggregation.ts';
import { age, column, columnsOf } from '../../columns/columns.ts';
import { nameIsPathSegment } from '../../validation/names.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const apiregistrationRows: readonly ResourceRow[] = [
  defineRow<ApiService>({
    type: apiServices,
    schema: apiServiceSchema,
    storedAs: 'apiregistration.k8s.io/apiservices',
    categories: ['api-extensions'],
    hasStatus: true,
    initialStatus: {},
    generationOf: undefined,
    updatesUnconditionally: false,
    validateName: nameIsPathSegment,
    applyDefaults: ({ spec }) => {
      if (spec?.service) spec.service.port ??= 443;
    },
    prepareCreate: (object) => {
      if (object.spec?.service) return;
      const status = withAvailability(object, localAvailability, Date.parse(object.metadata.creationTimestamp ?? ''));
      if (status) object.status = status;
    },
    validate: apiServiceErrors,
    validateUpdate: apiServiceErrors,
    validateStatus: statusErrors,
    columns: columnsOf<ApiService>([
      column('Service', ({ spec }) => (spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local'), {
        description: 'The reference to the service that hosts this API endpoint.',
      }),
      column('Available', availableText, { description: 'Whether this service is available.' }),
      age(),
    ]),
  }),
];

function availableText({ status }: ApiService): string {
  const said = availabilityOf(status);
  if (!said) return 'Unknown';
  return said.status === 'True' || !said.reason ? said.status : `${said.status} (${said.reason})`;
}
