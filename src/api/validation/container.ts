/** Containers of a pod, as upstream's core validation checks them. */
import type { Container, ContainerPort, ContainerResizePolicy, EphemeralContainer, PodSpec } from '../schema/types.ts';
import { envErrors } from './env.ts';
import {
  duplicate,
  duplicateNames,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  notFound,
  oneOf,
  repeats,
  required,
  wellFormed,
} from './field-error.ts';
import { portProtocols } from './formats.ts';
import { hookErrors, probeErrors } from './handler.ts';
import { deviceErrors, mountErrors } from './mounts.ts';
import { isDns1123Label, isDns1123Subdomain, isEnvVarName, isPort, isValidPortName } from './names.ts';
import { containerResourceNameErrors } from './resource-name.ts';
import { requirementsErrors } from './resources.ts';
import { restartErrors } from './restart-rules.ts';
import { securityErrors } from './security.ts';

/** What a container may refer to, and where it stands. */
export interface ContainerContext {
  readonly kind: 'main' | 'init' | 'ephemeral';
  readonly spec: PodSpec;
  /** True in a template, where less is checked: whoever makes pods of it may complete it. */
  readonly template: boolean;
}

/** Errors of one container. The caller looks for names that two containers share. */
export function containerErrors(container: Container | EphemeralContainer, path: string, context: ContainerContext): FieldError[] {
  const { spec } = context;
  const { name, image, terminationMessagePolicy: policy } = container;
  const errors = wellFormed(name, `${path}.name`, isDns1123Label);
  if (!image) errors.push(required(`${path}.image`));
  else if (!context.template && image.trim() !== image) {
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
  errors.push(...oneOf(policy, `${path}.terminationMessagePolicy`, ['File', 'FallbackToLogsOnError']));
  const claims = new Set((spec.resourceClaims ?? []).map((one) => one.name));
  return [
    ...errors,
    ...kindErrors(container, path, context),
    ...portsErrors(container.ports, `${path}.ports`),
    ...eachOf(container.env, `${path}.env`, (one, at) => envErrors(one, at, spec.volumes ?? [])),
    ...envFromErrors(container, path),
    ...mountErrors(container, `${path}.volumeMounts`, spec.volumes ?? []),
    ...deviceErrors(container, `${path}.volumeDevices`, spec.volumes ?? []),
    ...oneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never']),
    ...requirementsErrors(container.resources, `${path}.resources`, containerResourceNameErrors, claims),
    ...resizeErrors(container.resizePolicy, `${path}.resizePolicy`, spec.restartPolicy),
    ...securityErrors(container, `${path}.securityContext`, spec.hostUsers !== false),
  ];
}

/** What containers of one kind may have, and those of another may not. */
function kindErrors(container: Container | EphemeralContainer, path: string, { kind, spec }: ContainerContext): FieldError[] {
  if (kind === 'ephemeral') return ephemeralErrors(container as EphemeralContainer, path, spec);
  const sidecar = kind === 'init' && container.restartPolicy === 'Always';
  const errors = restartErrors(container as Container, path);
  if (sidecar && container.restartPolicyRules?.length) {
    const text = 'restartPolicyRules are not allowed for init containers with restart policy Always';
    errors.push(forbidden(`${path}.restartPolicyRules`, text));
  }
  if (kind === 'main' || sidecar) return [...errors, ...probesErrors(container as Container, path, spec)];
  if (container.resizePolicy?.length) {
    errors.push(invalid(`${path}.resizePolicy`, container.resizePolicy, 'must not be set for init containers'));
  }
  for (const key of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[key]) errors.push(forbidden(`${path}.${key}`, 'may not be set for init containers without restartPolicy=Always'));
  }
  return errors;
}

function probesErrors(container: Container, path: string, spec: PodSpec): FieldError[] {
  const grace = spec.terminationGracePeriodSeconds;
  const errors = container.lifecycle ? hookErrors(container.lifecycle, `${path}.lifecycle`, grace, spec.os?.name) : [];
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[key];
    if (!probe) continue;
    const at = `${path}.${key}`;
    errors.push(...probeErrors(probe, at));
    // Only a readiness probe may need several successes: liveness and startup are decided by the first.
    if (key !== 'readinessProbe') {
      if (probe.successThreshold !== 1) errors.push(invalid(`${at}.successThreshold`, probe.successThreshold, 'must be 1'));
    } else if (probe.terminationGracePeriodSeconds !== undefined) {
      errors.push(
        invalid(`${at}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'),
      );
    }
  }
  return errors;
}

const notOfEphemeral = [
  ...(['ports', 'resources', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const),
  ...(['resizePolicy', 'restartPolicy', 'restartPolicyRules'] as const),
];

/** An ephemeral container only looks into a pod: the pod neither waits for it, nor restarts it, nor accounts for it. */
function ephemeralErrors(container: EphemeralContainer, path: string, spec: PodSpec): FieldError[] {
  const text = 'cannot be set for an Ephemeral Container';
  const resources = Object.keys(container.resources ?? {}).length > 0 ? container.resources : undefined;
  const given = { ...container, resources };
  const { targetContainerName: target } = container;
  const others = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return [
    ...(target && !others.some((one) => one.name === target) ? [notFound(`${path}.targetContainerName`, target)] : []),
    ...notOfEphemeral.filter((key) => given[key] !== undefined).map((key) => forbidden(`${path}.${key}`, text)),
    ...eachOf(container.volumeMounts, `${path}.volumeMounts`, ({ subPath, subPathExpr }, at) => [
      ...(subPath ? [forbidden(`${at}.subPath`, text)] : []),
      ...(subPathExpr ? [forbidden(`${at}.subPathExpr`, text)] : []),
    ]),
  ];
}

function envFromErrors({ envFrom }: Container | EphemeralContainer, path: string): FieldError[] {
  // For a wrong number of sources upstream names the list, not the entry.
  const list = `${path}.envFrom`;
  return eachOf(envFrom, list, ({ prefix, configMapRef, secretRef }, at) => {
    const given = Object.entries({ configMapRef, secretRef }).filter(([, ref]) => ref !== undefined);
    return [
      ...emptyOrWellFormed(prefix, `${at}.prefix`, isEnvVarName),
      ...given.flatMap(([key, ref]) =>
        ref?.name ? invalids(`${at}.${key}.name`, ref.name, isDns1123Subdomain(ref.name)) : [required(`${at}.${key}.name`)],
      ),
      ...(given.length === 0 ? [invalid(list, '', 'must specify one of: `configMapRef` or `secretRef`')] : []),
      ...(given.length > 1 ? [invalid(list, '', 'may not have more than one field specified at a time')] : []),
    ];
  });
}

function resizeErrors(
  policies: readonly ContainerResizePolicy[] | undefined,
  path: string,
  restartPolicy: string | undefined,
): FieldError[] {
  const isRepeated = repeats<string>();
  // Upstream names the list in all errors but the one of a repeated name.
  return eachOf(policies, path, ({ resourceName, restartPolicy: policy }, at) => {
    const errors = [...oneOf(resourceName, path, ['cpu', 'memory']), ...oneOf(policy, path, ['NotRequired', 'RestartContainer'])];
    if (isRepeated(resourceName)) errors.push(duplicate(at, resourceName));
    if (restartPolicy === 'Never' && policy !== 'NotRequired') {
      errors.push(invalid(path, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
    return errors;
  });
}

/** Two containers of one pod cannot have the same port of the node. */
export function hostPortConflicts(containers: readonly Container[], path: string): FieldError[] {
  const isRepeated = repeats<string>();
  return eachOf(containers, path, ({ ports }, at) =>
    eachOf(ports, `${at}.ports`, ({ hostPort, hostIP = '', protocol }, portPath) => {
      const key = `${protocol}/${hostIP}/${hostPort}`;
      return hostPort && isRepeated(key) ? [duplicate(`${portPath}.hostPort`, key)] : [];
    }),
  );
}

function portsErrors(ports: readonly ContainerPort[] | undefined, path: string): FieldError[] {
  return [
    ...eachOf(ports, path, (port, at) => [
      ...emptyOrWellFormed(port.name, `${at}.name`, isValidPortName),
      ...wellFormed(port.containerPort, `${at}.containerPort`, isPort),
      ...emptyOrWellFormed(port.hostPort, `${at}.hostPort`, isPort),
      ...oneOf(port.protocol, `${at}.protocol`, portProtocols),
    ]),
    ...duplicateNames(ports, path),
  ];
}
