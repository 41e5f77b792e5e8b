/** A claim that says nothing of a class gets the default one (upstream's DefaultStorageClass). One that says '' wants none. */
import { classNameOf, defaultClassOf } from '../../api/placement/volume-claim.ts';
import { persistentVolumeClaims, storageClasses } from '../../api/resource-types.ts';
import type { PersistentVolumeClaim } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type AdmissionPlugin, isWriteOf } from './admission.ts';

export function defaultStorageClass(lookup: Pick<Lookup, 'list'>): AdmissionPlugin {
  return {
    mutate: (request) => {
      if (request.operation !== 'CREATE' || !isWriteOf(request, persistentVolumeClaims)) return;
      const claim = request.object as PersistentVolumeClaim;
      if (classNameOf(claim) !== undefined) return;
      const byDefault = defaultClassOf(lookup.list(storageClasses));
      if (byDefault) claim.spec = { ...claim.spec, storageClassName: byDefault.metadata.name };
    },
  };
}
