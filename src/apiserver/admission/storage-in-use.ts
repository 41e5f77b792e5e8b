/** New claims, volumes and classes of attributes are not to go while something uses them (upstream's StorageObjectInUseProtection). */
import { persistentVolumeClaims, persistentVolumes, type ResourceType, volumeAttributesClasses } from '../../api/resource-types.ts';
import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/well-known.ts';
import { type AdmissionPlugin, isWriteOf } from './admission.ts';

const finalizers: readonly (readonly [ResourceType, string])[] = [
  [persistentVolumeClaims, pvcProtectionFinalizer],
  [persistentVolumes, pvProtectionFinalizer],
  [volumeAttributesClasses, vacProtectionFinalizer],
];

export const storageInUse: AdmissionPlugin = {
  mutate: (request) => {
    const [, finalizer] = finalizers.find(([type]) => isWriteOf(request, type)) ?? [];
    if (!finalizer || !request.object || request.operation !== 'CREATE') return;
    const { metadata } = request.object;
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
