/** How a container uses its pod's volumes: as folders, and as devices. */
import type { Container, EphemeralContainer, Volume, VolumeMount } from '../schema/types.ts';
import { eachOf, type FieldError, forbidden, invalid, notFound, notSupported, required } from './field-error.ts';
import { backstepErrors, localPathErrors } from './paths.ts';

const propagations: readonly string[] = ['Bidirectional', 'HostToContainer', 'None'];
const readOnlyModes: readonly string[] = ['Disabled', 'Enabled', 'IfPossible'];

export function mountErrors(container: Container | EphemeralContainer, path: string, volumes: readonly Volume[]): FieldError[] {
  const { volumeMounts, volumeDevices = [], securityContext } = container;
  const paths = new Set<string>();
  return eachOf(volumeMounts, path, (mount, at) => {
    const { name, mountPath, subPath, subPathExpr } = mount;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    if (!volumes.some((one) => one.name === name)) errors.push(notFound(`${at}.name`, name ?? ''));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    if (volumeDevices.some((one) => one.name === name)) errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'));
    if (volumeDevices.some((one) => one.devicePath === mountPath)) {
      errors.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    }
    // Upstream names the list, not the mount.
    for (const [key, value] of Object.entries({ subPath, subPathExpr }))
      if (value) errors.push(...localPathErrors(value, `${path}.${key}`));
    if (subPath && subPathExpr) errors.push(invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    return [...errors, ...propagationErrors(mount, path, securityContext?.privileged === true), ...recursiveErrors(mount, path)];
  });
}

function propagationErrors({ mountPropagation: mode }: VolumeMount, path: string, privileged: boolean): FieldError[] {
  const at = `${path}.mountPropagation`;
  if (mode === undefined) return [];
  if (!propagations.includes(mode)) return [notSupported(at, mode, propagations)];
  return mode === 'Bidirectional' && !privileged
    ? [forbidden(at, 'Bidirectional mount propagation is available only to privileged containers')]
    : [];
}

function recursiveErrors({ recursiveReadOnly: mode, readOnly, mountPropagation }: VolumeMount, path: string): FieldError[] {
  const at = `${path}.recursiveReadOnly`;
  if (mode === undefined || mode === 'Disabled') return [];
  if (!readOnlyModes.includes(mode)) return [notSupported(at, mode, readOnlyModes)];
  const errors = readOnly ? [] : [forbidden(at, 'may only be specified when readOnly is true')];
  return mountPropagation === undefined || mountPropagation === 'None'
    ? errors
    : [...errors, forbidden(at, 'may only be specified when mountPropagation is None or not specified')];
}

export function deviceErrors(container: Container | EphemeralContainer, path: string, volumes: readonly Volume[]): FieldError[] {
  const { volumeMounts = [], volumeDevices } = container;
  const [names, paths] = [new Set<string>(), new Set<string>()];
  return eachOf(volumeDevices, path, ({ name, devicePath }, at) => {
    const errors: FieldError[] = [];
    const volume = volumes.find((one) => one.name === name);
    if (!name) errors.push(required(`${at}.name`));
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, 'must be unique'));
    if (!volume) errors.push(notFound(`${at}.name`, name ?? ''));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      const text = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalid(`${at}.name`, name, text));
    }
    if (!devicePath) errors.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'));
    if (backstepErrors(devicePath ?? '', '').length > 0) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    }
    if (volumeMounts.some((one) => one.name === name)) errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'));
    if (volumeMounts.some((one) => one.mountPath === devicePath)) {
      errors.push(invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    names.add(name);
    paths.add(devicePath);
    return errors;
  });
}
