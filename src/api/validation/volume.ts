/** Volumes of a pod. */
import type { KeyToPath, ProjectedVolumeSource, Volume } from '../schema/types.ts';
import { localPathErrors } from './container.ts';
import { duplicates, eachOf, type FieldError, forbidden, invalid, invalids, notSupported, required } from './field-error.ts';
import { quantityOf } from './formats.ts';
import { isConfigMapKey, isDns1123Label } from './names.ts';

const hostPathTypes: readonly string[] = ['BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;

export function volumesErrors(volumes: readonly Volume[] | undefined, path: string): FieldError[] {
  return [
    ...eachOf(volumes, path, volumeErrors),
    ...duplicates(
      (volumes ?? []).map((one) => one.name),
      (index) => `${path}[${index}].name`,
    ),
  ];
}

function volumeErrors(volume: Volume, path: string): FieldError[] {
  const { name, hostPath, emptyDir, secret, configMap, projected, persistentVolumeClaim, downwardAPI, nfs } = volume;
  const errors = name ? invalids(`${path}.name`, name, isDns1123Label(name)) : [required(`${path}.name`)];
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) errors.push(required(path, 'must specify a volume type'));
  for (const extra of sources.slice(1)) errors.push(forbidden(`${path}.${extra}`, 'may not specify more than 1 volume type'));
  if (hostPath) {
    if (!hostPath.path) errors.push(required(`${path}.hostPath.path`));
    else if (hostPath.path.split('/').includes('..')) errors.push(invalid(`${path}.hostPath.path`, hostPath.path, "must not contain '..'"));
    if (hostPath.type && !hostPathTypes.includes(hostPath.type)) {
      errors.push(notSupported(`${path}.hostPath.type`, hostPath.type, ['', ...hostPathTypes]));
    }
  }
  if (emptyDir?.sizeLimit !== undefined && !quantityOf(emptyDir.sizeLimit)) {
    errors.push(invalid(`${path}.emptyDir.sizeLimit`, emptyDir.sizeLimit, 'must be a quantity'));
  }
  if (secret) {
    if (!secret.secretName) errors.push(required(`${path}.secret.secretName`));
    errors.push(...modeErrors(secret.defaultMode, `${path}.secret.defaultMode`), ...itemErrors(secret.items, `${path}.secret.items`));
  }
  if (configMap) {
    if (!configMap.name) errors.push(required(`${path}.configMap.name`));
    errors.push(
      ...modeErrors(configMap.defaultMode, `${path}.configMap.defaultMode`),
      ...itemErrors(configMap.items, `${path}.configMap.items`),
    );
  }
  if (downwardAPI) errors.push(...modeErrors(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`));
  if (persistentVolumeClaim && !persistentVolumeClaim.claimName) errors.push(required(`${path}.persistentVolumeClaim.claimName`));
  if (nfs) {
    if (!nfs.server) errors.push(required(`${path}.nfs.server`));
    if (!nfs.path) errors.push(required(`${path}.nfs.path`));
    else if (!nfs.path.startsWith('/')) errors.push(invalid(`${path}.nfs.path`, nfs.path, 'must be an absolute path'));
  }
  if (projected) errors.push(...projectedErrors(projected, `${path}.projected`));
  return errors;
}

function projectedErrors({ sources, defaultMode }: ProjectedVolumeSource, path: string): FieldError[] {
  return [
    ...modeErrors(defaultMode, `${path}.defaultMode`),
    ...eachOf(sources, `${path}.sources`, ({ secret, configMap, serviceAccountToken: token }, at) => {
      const errors: FieldError[] = [];
      if (secret && !secret.name) errors.push(required(`${at}.secret.name`));
      if (secret) errors.push(...itemErrors(secret.items, `${at}.secret.items`));
      if (configMap && !configMap.name) errors.push(required(`${at}.configMap.name`));
      if (configMap) errors.push(...itemErrors(configMap.items, `${at}.configMap.items`));
      if (!token) return errors;
      const seconds = token.expirationSeconds ?? minTokenSeconds;
      if (seconds < minTokenSeconds)
        errors.push(invalid(`${at}.serviceAccountToken.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'));
      if (seconds > maxTokenSeconds)
        errors.push(invalid(`${at}.serviceAccountToken.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'));
      return token.path ? errors : [...errors, required(`${at}.serviceAccountToken.path`)];
    }),
  ];
}

function itemErrors(items: readonly KeyToPath[] | undefined, path: string): FieldError[] {
  return eachOf(items, path, (item, at) => [
    ...(item.key ? invalids(`${at}.key`, item.key, isConfigMapKey(item.key)) : [required(`${at}.key`)]),
    ...(item.path ? localPathErrors(item.path, `${at}.path`) : [required(`${at}.path`)]),
    ...modeErrors(item.mode, `${at}.mode`),
  ]);
}

function modeErrors(mode: number | undefined, path: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
}
