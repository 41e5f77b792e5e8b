/** Containers of a pod, as upstream's core validation checks them. */
import { compareQuantity } from '../quantity/quantity.ts';
import type { Container, ContainerPort, EphemeralContainer, ResourceRequirements, SeccompProfile } from '../schema/types.ts';
import { envErrors } from './env.ts';
import {
  duplicate,
  duplicates,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  nonNegative,
  notSupported,
  oneOf,
  required,
} from './field-error.ts';
import { amountsErrors, ipErrors, protocolErrors, quantityOf } from './formats.ts';
import { handlerErrors, probeErrors } from './handler.ts';
import { isDns1123Label, isEnvVarName, isPort, isValidPortName } from './names.ts';
import { restartErrors } from './restart-rules.ts';

/** What a container may refer to, and where it stands. */
export interface ContainerContext {
  readonly kind: 'main' | 'init' | 'ephemeral';
  readonly volumes: ReadonlySet<string>;
}

/** Errors of one container; names that are taken twice are the caller's to find. */
export function containerErrors(
  container: Container | EphemeralContainer,
  path: string,
  { kind, volumes }: ContainerContext,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!container.name) errors.push(required(`${path}.name`));
  else errors.push(...invalids(`${path}.name`, container.name, isDns1123Label(container.name)));
  const { image } = container;
  if (!image) errors.push(required(`${path}.image`));
  else if (image.trim() !== image) errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  const sidecar = kind === 'init' && container.restartPolicy === 'Always';
  if (kind !== 'ephemeral') errors.push(...restartErrors(container as Container, path));
  if (sidecar && container.restartPolicyRules?.length) {
    const text = 'restartPolicyRules are not allowed for init containers with restart policy Always';
    errors.push(forbidden(`${path}.restartPolicyRules`, text));
  }
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
    const value = container[key];
    if (!value) continue;
    if (kind === 'ephemeral') errors.push(forbidden(`${path}.${key}`, 'cannot be set for an Ephemeral Container'));
    else if (kind === 'init' && !sidecar)
      errors.push(forbidden(`${path}.${key}`, 'may not be set for init containers without restartPolicy=Always'));
  }
  for (const [key, probe] of Object.entries({
    livenessProbe: container.livenessProbe,
    readinessProbe: container.readinessProbe,
    startupProbe: container.startupProbe,
  })) {
    if (!probe) continue;
    errors.push(...probeErrors(probe, `${path}.${key}`));
    // Readiness may ask for several successes; the others act on the first one.
    if (key !== 'readinessProbe' && probe.successThreshold !== 1) {
      errors.push(invalid(`${path}.${key}.successThreshold`, probe.successThreshold, 'must be 1'));
    }
  }
  for (const key of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[key];
    if (handler) errors.push(...handlerErrors(handler, `${path}.lifecycle.${key}`, ['exec', 'httpGet', 'tcpSocket', 'sleep']));
  }
  const policy = container.terminationMessagePolicy;
  if (policy !== 'File' && policy !== 'FallbackToLogsOnError') {
    const at = `${path}.terminationMessagePolicy`;
    errors.push(policy ? notSupported(at, policy, ['FallbackToLogsOnError', 'File']) : required(at));
  }
  return [
    ...errors,
    ...portsErrors(container.ports, `${path}.ports`),
    ...eachOf(container.env, `${path}.env`, envErrors),
    ...eachOf(container.envFrom, `${path}.envFrom`, ({ prefix, configMapRef, secretRef }, at) => {
      const sources = Number(Boolean(configMapRef)) + Number(Boolean(secretRef));
      return [
        ...(prefix ? invalids(`${at}.prefix`, prefix, isEnvVarName(prefix)) : []),
        ...(sources === 0 ? [invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`')] : []),
        ...(sources > 1 ? [invalid(at, '', 'may not have more than one field specified at a time')] : []),
        ...(configMapRef && !configMapRef.name ? [required(`${at}.configMapRef.name`)] : []),
        ...(secretRef && !secretRef.name ? [required(`${at}.secretRef.name`)] : []),
      ];
    }),
    ...mountErrors(container, `${path}.volumeMounts`, volumes),
    ...oneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never']),
    ...resourcesErrors(container.resources, `${path}.resources`),
    ...securityErrors(container, `${path}.securityContext`),
  ];
}

/** Two containers of one pod that ask for the same port of the node. */
export function hostPortConflicts(containers: readonly Container[], path: string): FieldError[] {
  const seen = new Set<string>();
  return eachOf(containers, path, ({ ports }, at) =>
    eachOf(ports, `${at}.ports`, ({ hostPort, hostIP = '', protocol }, portPath) => {
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (!hostPort) return [];
      if (seen.has(key)) return [duplicate(`${portPath}.hostPort`, key)];
      seen.add(key);
      return [];
    }),
  );
}

function portsErrors(ports: readonly ContainerPort[] | undefined, path: string): FieldError[] {
  return [
    ...eachOf(ports, path, (port, at) => [
      ...(port.name ? invalids(`${at}.name`, port.name, isValidPortName(port.name)) : []),
      ...(port.containerPort
        ? invalids(`${at}.containerPort`, port.containerPort, isPort(port.containerPort))
        : [required(`${at}.containerPort`)]),
      ...(port.hostPort ? invalids(`${at}.hostPort`, port.hostPort, isPort(port.hostPort)) : []),
      ...(port.hostIP ? ipErrors(port.hostIP, `${at}.hostIP`) : []),
      ...protocolErrors(port.protocol, `${at}.protocol`),
    ]),
    ...duplicates(
      (ports ?? []).map((port) => port.name),
      (index) => `${path}[${index}].name`,
    ),
  ];
}

function mountErrors({ volumeMounts }: Container | EphemeralContainer, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const paths = new Set<string>();
  return eachOf(volumeMounts, path, ({ name, mountPath, subPath, subPathExpr }, at) => {
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    else if (!volumes.has(name)) errors.push({ type: 'FieldValueNotFound', path: `${at}.name`, value: name, detail: '' });
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    for (const [key, value] of Object.entries({ subPath, subPathExpr })) if (value) errors.push(...localPathErrors(value, `${at}.${key}`));
    if (subPath && subPathExpr) errors.push(invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    return errors;
  });
}

/** A path that stays below where it starts. */
export function localPathErrors(path: string, at: string): FieldError[] {
  if (path.startsWith('/')) return [invalid(at, path, 'must be a relative path')];
  return path.split('/').includes('..') ? [invalid(at, path, "must not contain '..'")] : [];
}

function resourcesErrors(resources: ResourceRequirements | undefined, path: string): FieldError[] {
  if (!resources) return [];
  const errors = [...amountsErrors(resources.limits, `${path}.limits`), ...amountsErrors(resources.requests, `${path}.requests`)];
  for (const [name, text] of Object.entries(resources.requests ?? {})) {
    const limitText = resources.limits?.[name];
    const [request, limit] = [quantityOf(text), limitText === undefined ? undefined : quantityOf(limitText)];
    if (!request || !limit) continue;
    if (compareQuantity(request, limit) > 0) {
      errors.push(invalid(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limitText}`));
    }
  }
  return errors;
}

function securityErrors({ securityContext }: Container | EphemeralContainer, path: string): FieldError[] {
  if (!securityContext) return [];
  const { privileged, allowPrivilegeEscalation, capabilities, runAsUser, runAsGroup } = securityContext;
  const errors = [
    ...nonNegative(runAsUser, `${path}.runAsUser`),
    ...nonNegative(runAsGroup, `${path}.runAsGroup`),
    ...seccompErrors(securityContext.seccompProfile, `${path}.seccompProfile`),
  ];
  if (allowPrivilegeEscalation === false) {
    if (privileged) errors.push(invalid(path, securityContext, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    if (capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(invalid(path, securityContext, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'));
    }
  }
  return errors;
}

/** A profile of the node is a file below the kubelet's own folder of profiles, and no other file. */
export function seccompErrors(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [required(`${path}.type`, 'type is required when seccompProfile is set')];
  const errors = oneOf(type, `${path}.type`, ['Localhost', 'RuntimeDefault', 'Unconfined']);
  const at = `${path}.localhostProfile`;
  if (type !== 'Localhost')
    return localhostProfile === undefined
      ? errors
      : [...errors, invalid(at, localhostProfile, 'can only be set when seccomp type is Localhost')];
  if (!localhostProfile) return [required(at, 'must be set when seccomp type is Localhost')];
  return localPathErrors(localhostProfile, at);
}
