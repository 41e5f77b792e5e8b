/** What of a cluster that is there a second "fairlead init" changes: the endpoint of its control plane, and where its store is. */
import { isDeepStrictEqual } from 'node:util';
import { parseDocument } from 'yaml';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import type { ClusterPlan } from '../config/cluster-plan.ts';
import { externalEtcd } from '../config/shared-store.ts';
import { type ClusterInfo, clusterInfoName, clusterInfoNamespace, clusterInfoObject } from '../discovery/cluster-info.ts';
import { settingsKeys, settingsNames, settingsNamespace, storeAnnotations } from '../settings/settings.ts';

/** The ClusterConfiguration with what is planned, and with everything else of it, comments too; undefined when it says that already. Pure. */
export function changedClusterSettings(text: string, { hasEndpoint, endpoint, store }: ClusterPlan): string | undefined {
  const document = parseDocument(text);
  const wished: readonly (readonly [path: readonly string[], value: unknown])[] = [
    [['controlPlaneEndpoint'], hasEndpoint ? endpoint : undefined],
    [['etcd', 'external'], externalEtcd(store)],
  ];
  const present = document.toJS() as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  const at = ([first = '', second]: readonly string[]): unknown => (second === undefined ? present[first] : present[first]?.[second]);
  const changes = wished.filter(([path, value]) => value !== undefined && !isDeepStrictEqual(at(path), value));
  for (const [path, value] of changes) document.setIn(path, document.createNode(value));
  return changes.length > 0 ? document.toString() : undefined;
}

/** Whether anything was changed. */
export async function changeClusterSettings(client: Client, plan: ClusterPlan): Promise<boolean> {
  const where = { namespace: settingsNamespace };
  const { data, metadata } = await client.get<ConfigMap>(configMaps, settingsNames.cluster, where);
  const text = changedClusterSettings(data?.[settingsKeys.cluster] ?? '', plan);
  const annotations = storeAnnotations(plan.store);
  const isTold = Object.entries(annotations).every(([name, value]) => metadata.annotations?.[name] === value);
  if (text === undefined && isTold) return false;
  const patch = { metadata: { annotations }, ...(text === undefined ? {} : { data: { [settingsKeys.cluster]: text } }) };
  await client.patch<ConfigMap>(configMaps, settingsNames.cluster, patch, where);
  return true;
}

/** Leads those who join to where the control plane is now; signatures for tokens follow by themselves. Whether it led elsewhere. */
export async function changeClusterInfo(client: Client, info: ClusterInfo): Promise<boolean> {
  const where = { namespace: clusterInfoNamespace };
  const { data = {} } = await client.get<ConfigMap>(configMaps, clusterInfoName, where);
  if (data.kubeconfig?.includes(`"server": "${info.server}"`)) return false;
  const { data: wanted } = clusterInfoObject(info);
  await client.patch<ConfigMap>(configMaps, clusterInfoName, { data: wanted }, where);
  return true;
}
