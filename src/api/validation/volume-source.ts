/** Sources of volumes: a check for each kind that a pod's volume and a PersistentVolume share. */
import type {
  AzureDiskVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  ISCSIVolumeSource,
  QuobyteVolumeSource,
  StorageOSPersistentVolumeSource,
  StorageOSVolumeSource,
} from '../schema/types.ts';
import {
  between,
  eachEntry,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  needed,
  notSupported,
  optionalOneOf,
  required,
  tooLong,
  wellFormed,
} from './field-error.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';
import { backstepErrors } from './paths.ts';

/** Returns the errors of one source. `owner` is the name of the volume. */
// biome-ignore lint/suspicious/noExplicitAny: each check is called with the source that stands under its own name
export type SourceCheck = (source: any, path: string, owner: string) => FieldError[];

const hostPathTypes: readonly string[] = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const maxCsiNameBytes = 63;
const maxIscsiName = 64;
const initiatorForms: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

/** The sources that both may have, with the same rules. */
export const commonSources: Readonly<Record<string, SourceCheck>> = {
  hostPath: hostPathErrors,
  gcePersistentDisk: (disk, path) => [...needed(disk, path, 'pdName'), ...partitionErrors(disk.partition, path)],
  awsElasticBlockStore: (disk, path) => [...needed(disk, path, 'volumeID'), ...partitionErrors(disk.partition, path)],
  nfs: (nfs, path) => [
    ...needed(nfs, path, 'server', 'path'),
    ...(nfs.path?.startsWith('/') ? [] : [invalid(`${path}.path`, nfs.path ?? '', 'must be an absolute path')]),
  ],
  flocker: flockerErrors,
  rbd: (rbd, path) => needed(rbd, path, 'monitors', 'image'),
  quobyte: quobyteErrors,
  fc: fibreChannelErrors,
  flexVolume: (flex, path) => [
    ...needed(flex, path, 'driver'),
    ...eachEntry(flex.options, (key) =>
      /(^|\.)(kubernetes|k8s)\.io$/i.test(key.split('/')[0] ?? '')
        ? [invalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved')]
        : [],
    ),
  ],
  vsphereVolume: (volume, path) => needed(volume, path, 'volumePath'),
  photonPersistentDisk: (disk, path) => needed(disk, path, 'pdID'),
  portworxVolume: (volume, path) => needed(volume, path, 'volumeID'),
  azureDisk: azureDiskErrors,
  scaleIO: (scale, path) => needed(scale, path, 'gateway', 'system', 'volumeName'),
  cephfs: (ceph, path) => needed(ceph, path, 'monitors'),
};

/** Exactly one of the sources in `checks` must be given; its errors are returned. `owner` is the name of the volume. */
export function oneSourceErrors(volume: object, path: string, checks: Readonly<Record<string, SourceCheck>>, owner: string): FieldError[] {
  const sources = volume as Readonly<Record<string, unknown>>;
  const [first, ...more] = Object.keys(checks).filter((key) => sources[key] !== undefined);
  if (first === undefined) return [required(path, 'must specify a volume type')];
  return [
    ...checks[first]!(sources[first], `${path}.${first}`, owner),
    ...more.map((other) => forbidden(`${path}.${other}`, 'may not specify more than 1 volume type')),
  ];
}

function hostPathErrors({ path, type }: HostPathVolumeSource, at: string): FieldError[] {
  if (!path) return [required(`${at}.path`)];
  return [...backstepErrors(path, `${at}.path`), ...optionalOneOf(type, `${at}.type`, hostPathTypes)];
}

export function iscsiErrors(source: ISCSIVolumeSource | ISCSIPersistentVolumeSource, path: string): FieldError[] {
  const { targetPortal, iqn, lun = 0, chapAuthDiscovery, chapAuthSession, secretRef, initiatorName } = source;
  return [
    ...needed({ targetPortal, iqn }, path, 'targetPortal', 'iqn'),
    ...(iqn ? initiatorErrors(iqn, `${path}.iqn`) : []),
    ...between(lun, `${path}.lun`, 0, 255),
    ...((chapAuthDiscovery || chapAuthSession) && !secretRef ? [required(`${path}.secretRef`)] : []),
    ...(initiatorName === undefined ? [] : initiatorErrors(initiatorName, `${path}.initiatorname`)),
  ];
}

/** With an initiator name the iSCSI session is named by volume and portal, which must not be too long together. */
export function iscsiNameErrors({ initiatorName, targetPortal = '' }: ISCSIVolumeSource, path: string, owner: string): FieldError[] {
  if (initiatorName === undefined || `${owner}:${targetPortal}`.length <= maxIscsiName) return [];
  const text = 'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
  return [invalid(path, owner, text)];
}

function initiatorErrors(name: string, path: string): FieldError[] {
  const form = initiatorForms[name.slice(0, 3)];
  if (!form) return [invalid(path, name, 'must be valid format starting with iqn, eui, or naa')];
  return form.test(name) ? [] : [invalid(path, name, 'must be valid format')];
}

function partitionErrors(partition: number | undefined, path: string): FieldError[] {
  // 0 means no partition, although the message does not allow it.
  return partition ? between(partition, `${path}.partition`, 1, 255) : [];
}

function fibreChannelErrors({ targetWWNs = [], wwids = [], lun }: FCVolumeSource, path: string): FieldError[] {
  const at = `${path}.targetWWNs`;
  const errors: FieldError[] = [];
  if (targetWWNs.length === 0 && wwids.length === 0) errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  if (targetWWNs.length === 0) return errors;
  if (wwids.length > 0) errors.push(invalid(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  if (lun === undefined) return [...errors, required(`${path}.lun`, 'lun is required if targetWWNs is specified')];
  return [...errors, ...between(lun, `${path}.lun`, 0, 255)];
}

function flockerErrors({ datasetName = '', datasetUUID = '' }: FlockerVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID) {
    errors.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  }
  return datasetName.includes('/') ? [...errors, invalid(`${path}.datasetName`, datasetName, "must not contain '/'")] : errors;
}

function quobyteErrors({ registry, tenant = '', volume }: QuobyteVolumeSource, path: string): FieldError[] {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  const errors = needed({ volume }, path, 'volume');
  if (!registry) return [required(`${path}.registry`, pairs), ...errors];
  if (tenant.length > 64) return [required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'), ...errors];
  const malformed = registry.split(',').some((pair) => !/^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/.test(pair));
  return malformed ? [invalid(`${path}.registry`, registry, pairs), ...errors] : errors;
}

function azureDiskErrors({ diskName, diskURI = '', cachingMode, kind }: AzureDiskVolumeSource, path: string): FieldError[] {
  const [prefix, shown] =
    kind === 'Managed'
      ? ['/subscriptions/', '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}']
      : ['https://', 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'];
  return [
    ...needed({ diskName, diskURI }, path, 'diskName', 'diskURI'),
    ...optionalOneOf(cachingMode, `${path}.cachingMode`, ['None', 'ReadOnly', 'ReadWrite']),
    ...optionalOneOf(kind, `${path}.kind`, ['Dedicated', 'Managed', 'Shared']),
    ...(diskURI.startsWith(prefix) ? [] : [notSupported(`${path}.diskURI`, diskURI, [shown])]),
  ];
}

export function storageOsErrors(source: StorageOSVolumeSource | StorageOSPersistentVolumeSource, path: string): FieldError[] {
  const { volumeName, volumeNamespace, secretRef } = source;
  return [
    ...wellFormed(volumeName, `${path}.volumeName`, isDns1123Label),
    ...emptyOrWellFormed(volumeNamespace, `${path}.volumeNamespace`, isDns1123Label),
    ...(secretRef ? needed(secretRef, `${path}.secretRef`, 'name') : []),
  ];
}

/** The name of a CSI driver: a subdomain, which may have upper-case letters. */
export function csiDriverNameErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  return [
    ...(name.length > maxCsiNameBytes ? [tooLong(path, maxCsiNameBytes)] : []),
    ...invalids(path, name, isDns1123Subdomain(name.toLowerCase())),
  ];
}
