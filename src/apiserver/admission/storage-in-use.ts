/** New claims, volumes and classes of attributes are not to go while something uses them (upstream's StorageObjectInUseProtection). */

import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/well-known.ts';
import type { AdmissionPlugin } from './admission.ts';

const finalizers: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': pvcProtectionFinalizer,
  '/persistentvolumes': pvProtectionFinalizer,
  'storage.k8s.io/volumeattributesclasses': vacProtectionFinalizer,
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
