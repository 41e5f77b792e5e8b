/** How a container uses the volumes of its pod: mounted (`volumeMounts`), or as block devices (`volumeDevices`). */
import type { Container, EphemeralContainer, Volume, VolumeMount } from '../schema/types.ts';
import { eachOf, type FieldError, failing, forbidden, invalid, notFound, notSupported, repeats, required } from './field-error.ts';
import { backstepErrors, localPathErrors } from './paths.ts';

const propagations: readonly string[] = ['Bidirectional', 'HostToContainer', 'None'];
const readOnlyModes: readonly string[] = ['Disabled', 'Enabled', 'IfPossible'];

export function mountErrors(container: Container | EphemeralContainer, path: string, volumes: readonly Volume[]): FieldError[] {
  const { volumeMounts, volumeDevices = [], securityContext } = container;
  const isRepeatedPath = repeats<string>();
  return eachOf(volumeMounts, path, (mount, at) => {
    const { name, mountPath, subPath, subPathExpr } = mount;
    const isDevice = volumeDevices.some((one) => one.name === name);
    const isDevicePath = volumeDevices.some((one) => one.devicePath === mountPath);
    const errors = failing([
      [!name, () => required(`${at}.name`)],
      [!volumes.some((one) => one.name === name), () => notFound(`${at}.name`, name ?? '')],
      [!mountPath, () => required(`${at}.mountPath`)],
      [isRepeatedPath(mountPath), () => invalid(`${at}.mountPath`, mountPath, 'must be unique')],
      [isDevice, () => invalid(`${at}.name`, name, 'must not already exist in volumeDevices')],
      [isDevicePath, () => invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices')],
    ]);
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
  const [isRepeatedName, isRepeatedPath] = [repeats<string>(), repeats<string>()];
  return eachOf(volumeDevices, path, ({ name, devicePath }, at) => {
    const volume = volumes.find((one) => one.name === name);
    const isMount = volumeMounts.some((one) => one.name === name);
    const isMountPath = volumeMounts.some((one) => one.mountPath === devicePath);
    return failing([
      [!name, () => required(`${at}.name`)],
      [isRepeatedName(name), () => invalid(`${at}.name`, name, 'must be unique')],
      [!volume, () => notFound(`${at}.name`, name ?? '')],
      [volume && !volume.persistentVolumeClaim && !volume.ephemeral, () => invalid(`${at}.name`, name, noBlockMode)],
      [!devicePath, () => required(`${at}.devicePath`)],
      [isRepeatedPath(devicePath), () => invalid(`${at}.devicePath`, devicePath, 'must be unique')],
      [backstepErrors(devicePath ?? '', '').length > 0, () => invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')")],
      [isMount, () => invalid(`${at}.name`, name, 'must not already exist in volumeMounts')],
      [isMountPath, () => invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts')],
    ]);
  });
}

const noBlockMode = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
