/** The environment of a container: Services, envFrom, env, in upstream's order and precedence. */
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from '../../api/schema/types.ts';
import { fieldValue, type NodeFacts, resourceValue } from './downward.ts';
import { expand } from './expand.ts';
import { serviceEnv } from './service-env.ts';
import { namespaceOf, specOf } from './spec.ts';

/** What a container refers to cannot be had; it waits with this reason. */
export class ConfigError extends Error {
  readonly reason: string;

  constructor(message: string, reason = 'CreateContainerConfigError') {
    super(message);
    this.name = 'ConfigError';
    this.reason = reason;
  }
}

/** Objects by name, of the pod's namespace; undefined when not there. */
export interface ConfigSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

export interface EnvInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly services: readonly Service[];
  readonly facts: NodeFacts;
  readonly source: ConfigSource;
}

export async function environmentOf({ pod, container, services, facts, source }: EnvInput): Promise<Map<string, string>> {
  const namespace = namespaceOf(pod);
  const serviceVariables = serviceEnv(services, namespace, specOf(pod).enableServiceLinks !== false);
  const env = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (!ref) continue;
    const kind = from.configMapRef ? 'configmap' : 'secret';
    const data = from.configMapRef
      ? await configMapData(source, namespace, ref.name ?? '')
      : await secretData(source, namespace, ref.name ?? '');
    if (!data && !ref.optional) throw new ConfigError(`${kind} "${ref.name}" not found`);
    for (const [key, text] of data ?? []) env.set(`${from.prefix ?? ''}${key}`, text);
  }
  // Values may refer to variables defined before, then to those of Services.
  const lookup = (name: string): string | undefined => env.get(name) ?? serviceVariables.get(name);
  for (const variable of container.env ?? []) {
    const text = variable.valueFrom
      ? await valueFrom(variable, { pod, container, services, facts, source })
      : expand(variable.value ?? '', lookup);
    if (text !== undefined) env.set(variable.name, text);
  }
  for (const [name, text] of serviceVariables) if (!env.has(name)) env.set(name, text);
  return env;
}

async function valueFrom({ name, valueFrom: from }: EnvVar, { pod, container, facts, source }: EnvInput): Promise<string | undefined> {
  const namespace = namespaceOf(pod);
  if (from?.fieldRef) {
    const text = fieldValue(pod, from.fieldRef.fieldPath, facts);
    if (text === undefined) throw new ConfigError(`unsupported fieldPath: ${from.fieldRef.fieldPath}`);
    return text;
  }
  if (from?.resourceFieldRef) {
    const text = resourceValue(pod, container.name, from.resourceFieldRef, facts);
    if (text === undefined) throw new ConfigError(`unsupported container resource: ${from.resourceFieldRef.resource}`);
    return text;
  }
  const ref = from?.configMapKeyRef ?? from?.secretKeyRef;
  if (!ref) throw new ConfigError(`env "${name}" has a source that is not supported`);
  const kind = from?.configMapKeyRef ? 'configmap' : 'secret';
  const data =
    kind === 'configmap' ? await configMapData(source, namespace, ref.name ?? '') : await secretData(source, namespace, ref.name ?? '');
  if (!data) {
    if (ref.optional) return undefined;
    throw new ConfigError(`${kind} "${ref.name}" not found`);
  }
  const text = data.get(ref.key);
  if (text === undefined && !ref.optional)
    throw new ConfigError(`couldn't find key ${ref.key} in ${kind === 'configmap' ? 'ConfigMap' : 'Secret'} ${namespace}/${ref.name}`);
  return text;
}

async function configMapData(source: ConfigSource, namespace: string, name: string): Promise<Map<string, string> | undefined> {
  const object = await source.configMap(namespace, name);
  return object && new Map(Object.entries(object.data ?? {}));
}

async function secretData(source: ConfigSource, namespace: string, name: string): Promise<Map<string, string> | undefined> {
  const object = await source.secret(namespace, name);
  return object && new Map(Object.entries(object.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]));
}
