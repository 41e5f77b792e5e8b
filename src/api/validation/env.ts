/** Environment variables of a container. */
import type { EnvVar, FileKeySelector, Volume } from '../schema/types.ts';
import { fieldRefErrors, resourceRefErrors } from './downward.ts';
import { type FieldError, invalid, invalids, notFound, required, wellFormed } from './field-error.ts';
import { isConfigMapKey, isDns1123Label, isDns1123Subdomain, isEnvVarName } from './names.ts';
import { backstepErrors } from './paths.ts';

const envFields: readonly string[] = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

export function envErrors({ name, value, valueFrom }: EnvVar, path: string, volumes: readonly Volume[]): FieldError[] {
  const errors = wellFormed(name, `${path}.name`, isEnvVarName);
  if (!valueFrom) return errors;
  const at = `${path}.valueFrom`;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
  const sources = Object.values(valueFrom).filter((one) => one !== undefined && one !== null).length;
  if (fieldRef) errors.push(...fieldRefErrors(fieldRef, `${at}.fieldRef`, envFields));
  if (resourceFieldRef) errors.push(...resourceRefErrors(resourceFieldRef, `${at}.resourceFieldRef`, false));
  for (const [key, ref] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!ref) continue;
    errors.push(...invalids(`${at}.${key}.name`, ref.name ?? '', isDns1123Subdomain(ref.name ?? '')));
    if (!ref.key) errors.push(required(`${at}.${key}.key`));
    else errors.push(...invalids(`${at}.${key}.key`, ref.key, isConfigMapKey(ref.key)));
  }
  if (fileKeyRef) errors.push(...fileErrors(fileKeyRef, `${at}.fileKeyRef`, volumes));
  if (sources === 0)
    errors.push(invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'));
  else if (value) errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  return errors;
}

/** A reference to a value that an init container wrote to a file in an emptyDir. */
function fileErrors({ key, volumeName, path: file }: FileKeySelector, path: string, volumes: readonly Volume[]): FieldError[] {
  const at = `${path}.volumeName`;
  const volume = volumes.find((one) => one.name === volumeName);
  return [
    ...wellFormed(key, `${path}.key`, isEnvVarName),
    ...wellFormed(volumeName, at, isDns1123Label),
    ...(file ? backstepErrors(file, `${path}.path`) : [required(`${path}.path`)]),
    ...(volume ? [] : [notFound(at, volumeName ?? '')]),
    ...(volume && !volume.emptyDir ? [invalid(at, volumeName, 'referenced volume must be of type emptyDir')] : []),
  ];
}
