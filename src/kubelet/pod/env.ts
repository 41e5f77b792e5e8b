/** The environment of a container: Services, envFrom, env, in upstream's order and precedence. */
import type {
  ConfigMap,
  ConfigMapEnvSource,
  ConfigMapKeySelector,
  Container,
  EnvVarSource,
  Pod,
  Secret,
  SecretEnvSource,
  SecretKeySelector,
  Service,
} from '../../api/schema/types.ts';
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

export async function environmentOf(input: EnvInput): Promise<Map<string, string>> {
  const { pod, container, services } = input;
  const serviceVariables = serviceEnv(services, namespaceOf(pod), specOf(pod).enableServiceLinks !== false);
  const env = await envFrom(input);
  // Values may refer to variables defined before, then to those of Services.
  const lookup = (name: string): string | undefined => env.get(name) ?? serviceVariables.get(name);
  for (const variable of container.env ?? []) {
    const text = variable.valueFrom ? await valueFrom(variable.name, variable.valueFrom, input) : expand(variable.value ?? '', lookup);
    if (text !== undefined) env.set(variable.name, text);
  }
  for (const [name, text] of serviceVariables) if (!env.has(name)) env.set(name, text);
  return env;
}

async function envFrom({ pod, container, source }: EnvInput): Promise<Map<string, string>> {
  const namespace = namespaceOf(pod);
  const env = new Map<string, string>();
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const data = configMapRef ? configMapData(source, namespace, configMapRef) : secretRef && secretData(source, namespace, secretRef);
    for (const [key, text] of (await data) ?? []) env.set(`${prefix}${key}`, text);
  }
  return env;
}

async function valueFrom(name: string, from: EnvVarSource, { pod, container, facts, source }: EnvInput): Promise<string | undefined> {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = from;
  const namespace = namespaceOf(pod);
  if (fieldRef) return supported(fieldValue(pod, fieldRef.fieldPath, facts), `fieldPath: ${fieldRef.fieldPath}`);
  if (resourceFieldRef) {
    const text = resourceValue(pod, container.name, resourceFieldRef, facts);
    return supported(text, `container resource: ${resourceFieldRef.resource}`);
  }
  if (configMapKeyRef) return keyOfData(await configMapData(source, namespace, configMapKeyRef), configMapKeyRef, `ConfigMap ${namespace}`);
  if (secretKeyRef) return keyOfData(await secretData(source, namespace, secretKeyRef), secretKeyRef, `Secret ${namespace}`);
  throw new ConfigError(`env "${name}" has a source that is not supported`);
}

function supported(text: string | undefined, what: string): string {
  if (text === undefined) throw new ConfigError(`unsupported ${what}`);
  return text;
}

type Data = ReadonlyMap<string, string>;

/** One key of what is there; undefined when key or object may be missing, and are. */
function keyOfData(data: Data | undefined, ref: ConfigMapKeySelector | SecretKeySelector, where: string): string | undefined {
  const text = data?.get(ref.key);
  if (text === undefined && !ref.optional) throw new ConfigError(`couldn't find key ${ref.key} in ${where}/${ref.name}`);
  return text;
}

async function configMapData(source: ConfigSource, namespace: string, { name, optional }: ConfigMapEnvSource): Promise<Data | undefined> {
  const object = await source.configMap(namespace, name ?? '');
  if (!object && !optional) throw new ConfigError(`configmap "${name}" not found`);
  return object && new Map(Object.entries(object.data ?? {}));
}

async function secretData(source: ConfigSource, namespace: string, { name, optional }: SecretEnvSource): Promise<Data | undefined> {
  const object = await source.secret(namespace, name ?? '');
  if (!object && !optional) throw new ConfigError(`secret "${name}" not found`);
  return object && new Map(Object.entries(object.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
}
