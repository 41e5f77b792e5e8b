/** Nothing is created in a namespace that is missing or on its way out; the namespaces of the system stay. */
import { namespaces } from '../../api/resource-types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { notFound } from '../status/status-error.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

export function namespaceLifecycle(lookup: Lookup): AdmissionPlugin {
  return {
    mutate: async (request) => {
      const { row, operation, name } = request;
      if (operation === 'DELETE' && isWriteOf(request, namespaces) && immortal.has(name))
        throw refused(request, 'this namespace may not be deleted');
      if (operation === 'CREATE' && row.type.namespaced) await refuseEnding(lookup, request);
    },
  };
}

async function refuseEnding(lookup: Lookup, request: AdmissionRequest): Promise<void> {
  const { namespace } = request;
  const found = await lookup.find(namespaces, namespace);
  if (!found) throw notFound(namespaces, namespace);
  if (found.metadata.deletionTimestamp === undefined && found.status?.phase !== 'Terminating') return;
  throw refused(request, `unable to create new content in namespace ${namespace} because it is being terminated`, [
    { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' },
  ]);
}
