/** New claims, volumes and classes of attributes are not to go while something uses them (upstream's StorageObjectInUseProtection). */
import type { AdmissionPlugin } from './admission.ts';

const finalizers: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

export const storageInUse: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate: ({ row: { type }, operation, subresource, object }) => {
    const finalizer = finalizers[`${type.group}/${type.resource}`];
    if (!finalizer || !object || operation !== 'CREATE' || subresource !== '') return;
    const { metadata } = object;
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
