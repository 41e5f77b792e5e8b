/** Tables of volumes and their classes. */
import type { Columns } from '../registry/resource-row.ts';
import type {
  CSIDriver,
  CSINode,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../schema/types.ts';
import { age, column, columnsOf, wide } from './columns.ts';

const storageClasses = columnsOf<StorageClass>([
  column('Provisioner', (one) => one.provisioner),
  column('ReclaimPolicy', (one) => one.reclaimPolicy ?? 'Delete'),
  column('VolumeBindingMode', (one) => one.volumeBindingMode ?? '<unset>'),
  column('AllowVolumeExpansion', (one) => one.allowVolumeExpansion ?? false),
  age(),
]);

/** The default class is marked behind its name. */
export const storageClassColumns: Columns<StorageClass> = {
  ...storageClasses,
  cells: (object, now) => {
    const [name, ...rest] = storageClasses.cells(object, now);
    const isDefault = object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
    return [isDefault ? `${name} (default)` : name!, ...rest];
  },
};

export const csiDriverColumns: Columns<CSIDriver> = columnsOf<CSIDriver>([
  column('AttachRequired', ({ spec }) => spec?.attachRequired ?? true, { type: 'boolean' }),
  column('PodInfoOnMount', ({ spec }) => spec?.podInfoOnMount ?? false, { type: 'boolean' }),
  column('StorageCapacity', ({ spec }) => spec?.storageCapacity ?? false, { type: 'boolean' }),
  column('TokenRequests', ({ spec }) => spec?.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>'),
  column('RequiresRepublish', ({ spec }) => spec?.requiresRepublish ?? false, { type: 'boolean' }),
  column('Modes', ({ spec }) => spec?.volumeLifecycleModes?.join(',') || '<none>'),
  age(),
]);

export const csiNodeColumns: Columns<CSINode> = columnsOf<CSINode>([
  column('Drivers', ({ spec }) => spec?.drivers?.length ?? 0, { type: 'integer' }),
  age(),
]);

export const volumeAttachmentColumns: Columns<VolumeAttachment> = columnsOf<VolumeAttachment>([
  column('Attacher', ({ spec }) => spec?.attacher ?? ''),
  column('PV', ({ spec }) => spec?.source?.persistentVolumeName ?? ''),
  column('Node', ({ spec }) => spec?.nodeName ?? ''),
  column('Attached', ({ status }) => status?.attached ?? false, { type: 'boolean' }),
  age(),
]);

export const volumeAttributesClassColumns: Columns<VolumeAttributesClass> = columnsOf<VolumeAttributesClass>([
  column('DriverName', (one) => one.driverName),
  age(),
]);

export const claimColumns: Columns<PersistentVolumeClaim> = columnsOf<PersistentVolumeClaim>([
  column('Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))),
  column('Volume', ({ spec }) => spec?.volumeName ?? ''),
  column('Capacity', ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.storage ?? '0') : '')),
  column('Access Modes', ({ spec, status }) => (spec?.volumeName ? accessText(status?.accessModes) : '')),
  column('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
  column('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  age(),
  wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
]);

export const volumeColumns: Columns<PersistentVolume> = columnsOf<PersistentVolume>([
  column('Capacity', ({ spec }) => spec?.capacity?.storage ?? '0'),
  column('Access Modes', ({ spec }) => accessText(spec?.accessModes)),
  column('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
  column('Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))),
  column('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')),
  column('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
  column('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  column('Reason', ({ status }) => status?.reason ?? ''),
  age(),
  wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
]);

const accessLetters: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** In upstream's order, each once: `RWO,RWX`. */
function accessText(modes: readonly string[] | undefined): string {
  return Object.entries(accessLetters)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, letters]) => letters)
    .join(',');
}
