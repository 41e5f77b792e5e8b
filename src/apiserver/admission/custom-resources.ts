/** Objects of a CustomResourceDefinition that is being deleted go with it: no new ones are made. */
import { customResourceDefinitions } from '../../api/custom/definition.ts';
import type { Lookup } from '../cache/lookup.ts';
import { methodNotAllowed } from '../status/status-error.ts';
import type { AdmissionPlugin } from './admission.ts';

export function customResourceAdmission(lookup: Lookup): AdmissionPlugin {
  return {
    validate: ({ operation, row, subresource }) => {
      const { group, resource } = row.type;
      // Those of a definition have a dot in their group.
      if (operation !== 'CREATE' || subresource !== '' || !group.includes('.')) return;
      const definition = lookup.get(customResourceDefinitions, `${resource}.${group}`);
      if (definition?.metadata.deletionTimestamp !== undefined)
        throw methodNotAllowed('create not allowed while custom resource definition is terminating');
    },
  };
}
