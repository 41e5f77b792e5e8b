/** The files of configMap, secret, downwardAPI and projected volumes. */
import type {
  ConfigMap,
  ConfigMapProjection,
  DownwardAPIVolumeFile,
  Pod,
  Secret,
  SecretProjection,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from '../../api/schema/types.ts';
import { fieldValue, type NodeFacts, resourceValue } from '../pod/downward.ts';
import type { ConfigSource } from '../pod/env.ts';
import { namespaceOf, specOf } from '../pod/spec.ts';
import type { VolumeFile } from './atomic-dir.ts';

export interface FileSources {
  readonly config: ConfigSource;
  token(pod: Pod, projection: ServiceAccountTokenProjection): Promise<string>;
}

type Files = Map<string, VolumeFile>;
const defaultFileMode = 0o644;

/** The files of a volume, or undefined for a volume that is none of these kinds. Throws with upstream's words when something is not there. */
export async function volumeFiles(pod: Pod, volume: Volume, facts: NodeFacts, sources: FileSources): Promise<Files | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const files: Files = new Map();
  if (configMap) {
    await addProjection(files, pod, { configMap }, configMap.defaultMode, facts, sources);
  } else if (secret) {
    const { secretName, ...rest } = secret;
    await addProjection(files, pod, { secret: { ...rest, name: secretName } }, secret.defaultMode, facts, sources);
  } else if (downwardAPI) {
    await addProjection(files, pod, { downwardAPI }, downwardAPI.defaultMode, facts, sources);
  } else if (projected) {
    for (const source of projected.sources ?? []) await addProjection(files, pod, source, projected.defaultMode, facts, sources);
  } else return undefined;
  return files;
}

async function addProjection(
  files: Files,
  pod: Pod,
  { configMap, secret, downwardAPI, serviceAccountToken }: VolumeProjection,
  defaultMode: number | undefined,
  facts: NodeFacts,
  { config, token }: FileSources,
): Promise<void> {
  const namespace = namespaceOf(pod);
  const mode = defaultMode ?? defaultFileMode;
  if (configMap) {
    const object = found(await config.configMap(namespace, configMap.name ?? ''), configMap, 'configmap');
    addKeys(files, object, configMap, mode, 'configmap references non-existent config key');
  }
  if (secret) {
    const object = found(await config.secret(namespace, secret.name ?? ''), secret, 'secret');
    addKeys(files, object, secret, mode, 'references non-existent secret key');
  }
  for (const item of downwardAPI?.items ?? [])
    files.set(item.path, { bytes: Buffer.from(downwardText(pod, item, facts)), mode: item.mode ?? mode });
  if (serviceAccountToken) {
    const grouped = specOf(pod).securityContext?.fsGroup !== undefined;
    files.set(serviceAccountToken.path, { bytes: Buffer.from(await token(pod, serviceAccountToken)), mode: grouped ? 0o640 : mode });
  }
}

function found<T>(object: T | undefined, { name, optional }: ConfigMapProjection | SecretProjection, kind: string): T | undefined {
  if (!object && !optional) throw new Error(`${kind} "${name}" not found`);
  return object;
}

function contentOf(object: ConfigMap | Secret): Map<string, Uint8Array> {
  const content = new Map<string, Uint8Array>();
  const isSecret = object.kind === 'Secret';
  for (const [key, text] of Object.entries(object.data ?? {})) content.set(key, Buffer.from(text, isSecret ? 'base64' : 'utf8'));
  if ('binaryData' in object)
    for (const [key, text] of Object.entries(object.binaryData ?? {})) content.set(key, Buffer.from(text, 'base64'));
  return content;
}

/** All keys, or those that the volume lists. */
function addKeys(
  files: Files,
  object: ConfigMap | Secret | undefined,
  { items = [], optional }: ConfigMapProjection | SecretProjection,
  mode: number,
  missing: string,
): void {
  if (!object) return;
  const content = contentOf(object);
  if (items.length === 0) for (const [key, bytes] of content) files.set(key, { bytes, mode });
  for (const item of items) {
    const bytes = content.get(item.key);
    if (bytes) files.set(item.path, { bytes, mode: item.mode ?? mode });
    else if (!optional) throw new Error(`${missing}: ${item.key}`);
  }
}

function downwardText(pod: Pod, item: DownwardAPIVolumeFile, facts: NodeFacts): string {
  const text = item.fieldRef
    ? fieldValue(pod, item.fieldRef.fieldPath, facts)
    : item.resourceFieldRef && resourceValue(pod, item.resourceFieldRef.containerName ?? '', item.resourceFieldRef, facts);
  if (text === undefined) throw new Error(`unsupported field of the downward API for "${item.path}"`);
  return text;
}
