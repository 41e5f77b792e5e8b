/** Environment variables of a container. */
import type { EnvVar } from '../schema/types.ts';
import { type FieldError, invalid, invalids, notSupported, required } from './field-error.ts';
import { isConfigMapKey, isEnvVarName } from './names.ts';

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
const resourceFields: readonly string[] = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

export function envErrors({ name, value, valueFrom }: EnvVar, path: string): FieldError[] {
  const errors = name ? invalids(`${path}.name`, name, isEnvVarName(name)) : [required(`${path}.name`)];
  if (!valueFrom) return errors;
  const at = `${path}.valueFrom`;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  const sources = Object.values(valueFrom).filter((one) => one !== undefined && one !== null).length;
  if (fieldRef) {
    if (!fieldRef.fieldPath) errors.push(required(`${at}.fieldRef.fieldPath`));
    else if (!envFields.includes(fieldRef.fieldPath) && !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(fieldRef.fieldPath)) {
      errors.push(
        /^[a-z]+\.[A-Za-z]+$/.test(fieldRef.fieldPath)
          ? notSupported(`${at}.fieldRef.fieldPath`, fieldRef.fieldPath, envFields)
          : invalid(
              `${at}.fieldRef.fieldPath`,
              fieldRef.fieldPath,
              `error converting fieldPath: field label not supported: ${fieldRef.fieldPath}`,
            ),
      );
    }
  }
  if (resourceFieldRef) {
    const { resource } = resourceFieldRef;
    if (!resource) errors.push(required(`${at}.resourceFieldRef.resource`));
    else if (!resourceFields.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource)) {
      errors.push(notSupported(`${at}.resourceFieldRef.resource`, resource, resourceFields));
    }
  }
  for (const [key, ref] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!ref) continue;
    if (!ref.name) errors.push(required(`${at}.${key}.name`));
    if (!ref.key) errors.push(required(`${at}.${key}.key`));
    else errors.push(...invalids(`${at}.${key}.key`, ref.key, isConfigMapKey(ref.key)));
  }
  if (sources === 0)
    errors.push(invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'));
  else if (value) errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  return errors;
}
