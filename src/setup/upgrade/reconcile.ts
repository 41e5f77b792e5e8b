/**
 * Brings roles and settings that an older version has put into a cluster to what this one needs. As upstream's API server does with its own roles: what is
 * missing is added, what somebody has added stays, and what is annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is let alone.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseDocument } from 'yaml';
import { configMaps, type KubeObject } from '../../api/resource-types.ts';
import type { ConfigMap, PolicyRule, Subject } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { typeOf } from '../init/ensure-objects.ts';
import { settingsKeys, settingsNames, settingsNamespace } from '../settings/settings.ts';

interface Access extends KubeObject {
  readonly rules?: readonly PolicyRule[];
  readonly roleRef?: object;
  readonly subjects?: readonly Subject[];
}

export type ReconcileClient = Pick<Client, 'get' | 'create' | 'patch' | 'delete'>;

/** A rule with its lists in order, as nobody cares for it. */
function plain(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined && part !== '')
      .map(([name, part]) => [name, Array.isArray(part) ? part.toSorted() : part]),
  );
}

function added<T extends object>(found: readonly T[], wanted: readonly T[]): T[] | undefined {
  const missing = wanted.filter((one) => !found.some((other) => isDeepStrictEqual(plain(other), plain(one))));
  return missing.length > 0 ? [...found, ...missing] : undefined;
}

/** What has to be patched; undefined for nothing, `anew` for a binding to another role, which cannot be changed. Pure. */
export function accessChange(
  found: Access,
  wanted: Access,
): { readonly rules?: PolicyRule[]; readonly subjects?: Subject[] } | 'anew' | undefined {
  if (found.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] === 'false') return undefined;
  if (wanted.roleRef !== undefined && !isDeepStrictEqual(plain(found.roleRef ?? {}), plain(wanted.roleRef))) return 'anew';
  const rules = added(found.rules ?? [], wanted.rules ?? []);
  const subjects = added(found.subjects ?? [], wanted.subjects ?? []);
  return rules || subjects ? { ...(rules ? { rules } : {}), ...(subjects ? { subjects } : {}) } : undefined;
}

/** Whether anything was changed. */
export async function reconcileAccess(client: ReconcileClient, objects: readonly KubeObject[]): Promise<boolean> {
  let isChanged = false;
  for (const wanted of objects.filter(({ kind }) => /Role(Binding)?$/.test(kind))) {
    const type = typeOf(wanted);
    const { name = '', namespace } = wanted.metadata;
    const where = namespace === undefined ? {} : { namespace };
    const found = await client.get<Access>(type, name, where).catch(ignoreNotFound);
    const change = found && accessChange(found, wanted);
    if (found && change === undefined) continue;
    isChanged = true;
    if (change === 'anew') await client.delete(type, name, where);
    if (!change || change === 'anew') await client.create(type, wanted);
    else await client.patch(type, name, change, where);
  }
  return isChanged;
}

/** The ClusterConfiguration of this version; undefined for one that is. Comments and all else stay. Pure. */
export function clusterConfigurationNow(text: string, kubernetesVersion: string): string | undefined {
  const document = parseDocument(text);
  const changes: (readonly [field: string, value: string])[] = [];
  // What v1beta4 writes otherwise is left to who has written it.
  if (document.get('apiVersion') === 'kubeadm.k8s.io/v1beta3' && !/\b(extraArgs|timeoutForControlPlane)\b/.test(text))
    changes.push(['apiVersion', 'kubeadm.k8s.io/v1beta4']);
  if (document.has('kubernetesVersion') && document.get('kubernetesVersion') !== kubernetesVersion)
    changes.push(['kubernetesVersion', kubernetesVersion]);
  for (const [field, value] of changes) document.set(field, value);
  return changes.length > 0 ? document.toString() : undefined;
}

/** Whether anything was changed. */
export async function reconcileSettings(client: ReconcileClient, kubernetesVersion: string): Promise<boolean> {
  const where = { namespace: settingsNamespace };
  const key = settingsKeys.cluster;
  const map = await client.get<ConfigMap>(configMaps, settingsNames.cluster, where).catch(ignoreNotFound);
  const text = clusterConfigurationNow(map?.data?.[key] ?? '', kubernetesVersion);
  if (map === undefined || text === undefined) return false;
  await client.patch<ConfigMap>(configMaps, settingsNames.cluster, { data: { [key]: text } }, where);
  return true;
}
