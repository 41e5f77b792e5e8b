/** Nothing is created in a namespace that is missing or on its way out; the namespaces of the system stay. */
import { namespaces } from '../../api/resource-types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { forbidden, notFound } from '../status/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

export function namespaceLifecycle(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    mutate: async (request) => {
      const { row, operation } = request;
      if (row.type.resource === 'namespaces' && row.type.group === '') {
        if (operation === 'DELETE' && immortal.has(request.name))
          throw forbidden(row.type, request.name, 'this namespace may not be deleted');
        return;
      }
      if (operation === 'CREATE' && row.type.namespaced) await refuseEnding(lookup, request);
    },
  };
}

async function refuseEnding(lookup: Lookup, { row, namespace, name }: AdmissionRequest): Promise<void> {
  const found = await lookup.find(namespaces, namespace);
  if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  if (found.metadata.deletionTimestamp === undefined && found.status?.phase !== 'Terminating') return;
  throw forbidden(row.type, name || undefined, `unable to create new content in namespace ${namespace} because it is being terminated`, [
    { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' },
  ]);
}
