/** What of a cluster that is there a second "fairlead init" changes: the endpoint of its control plane, where its store is, the service proxy, address pools. */
import { parse } from 'yaml';
import { configMaps, nodes as nodesResource } from '../../api/resource-types.ts';
import type { ConfigMap, Node } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import { familyOf, parseIp } from '../../ip/ip.ts';
import type { ClusterPlan, ClusterWish } from '../config/cluster-plan.ts';
import type { ClusterConfiguration, ProxyConfiguration } from '../config/documents.ts';
import { externalEtcd } from '../config/shared-store.ts';
import { type ClusterInfo, clusterInfoName, clusterInfoNamespace, clusterInfoObject } from '../discovery/cluster-info.ts';
import { isFar } from '../node-address.ts';
import { poolsName, settingsKeys, settingsNames, settingsNamespace, storeAnnotations } from '../settings/settings.ts';
import { changedAddressPools } from './address-pools.ts';
import { changedText } from './changed-text.ts';
import { changedProxySettings } from './proxy-settings.ts';

/** The ClusterConfiguration with what is planned, and with everything else of it, comments too; undefined when it says that already. Pure. */
export function changedClusterSettings(text: string, { hasEndpoint, endpoint, store, certSans }: ClusterPlan): string | undefined {
  const external = externalEtcd(store);
  const before = ((parse(text) ?? {}) as ClusterConfiguration).apiServer?.certSANs ?? [];
  const more = certSans.filter((name) => !before.includes(name));
  return changedText(text, {
    controlPlaneEndpoint: hasEndpoint ? endpoint : undefined,
    ...(external ? { etcd: { external } } : {}),
    // A control plane that joins is known by the same names.
    ...(more.length > 0 ? { apiServer: { certSANs: [...before, ...more] } } : {}),
  });
}

/** Whether a text of a ConfigMap was changed. */
async function changeMap(
  client: Client,
  name: string,
  key: string,
  change: (text: string) => Promise<string | undefined> | string | undefined,
): Promise<boolean> {
  const where = { namespace: settingsNamespace };
  const { data } = await client.get<ConfigMap>(configMaps, name, where);
  const text = await change(data?.[key] ?? '');
  if (text === undefined) return false;
  await client.patch<ConfigMap>(configMaps, name, { data: { [key]: text } }, where);
  return true;
}

export async function changeProxySettings(client: Client, wish: ClusterWish, document: ProxyConfiguration | undefined): Promise<boolean> {
  return await changeMap(client, settingsNames.proxy, settingsKeys.proxy, (text) => changedProxySettings(text, wish, document));
}

export async function changeAddressPools(client: Client, addresses: readonly string[]): Promise<boolean> {
  if (addresses.length === 0) return false;
  return await changeMap(client, poolsName, 'config', (text) => changedAddressPools(text, addresses));
}

/** How pods cross nodes; the nodes change over one after the other, as each hears of it. `networks`: of this node's link. Throws BAD_CONFIG. */
export async function changeNetworkBackend(client: Client, wished: string | undefined, networks: readonly string[]): Promise<boolean> {
  if (wished === undefined) return false;
  return await changeMap(client, settingsNames.network, settingsKeys.network, async (text) => {
    const changed = changedBackend(text, wished);
    if (changed !== undefined && wished === 'host-gw') refuseFarNodes((await client.list<Node>(nodesResource)).items, networks);
    return changed;
  });
}

const flannel = 'flannel.alpha.coreos.com/';

/**
 * Nodes to which host-gw has no route: their pods would be cut off for good. So would be those of one that tells another address than its own, which
 * may be a port forwarding for VXLAN alone. Throws BAD_CONFIG, with their names. Pure.
 */
export function refuseFarNodes(nodes: readonly Node[], networks: readonly string[]): void {
  const ofPods = (ip: string): boolean => networks.some((range) => familyOf(range) === familyOf(ip));
  const refused = nodes.flatMap(({ metadata: { name, annotations = {} }, status }) => {
    const own = status?.addresses?.map(({ address }) => address) ?? [];
    return ['public-ip', 'public-ipv6'].flatMap((key) => {
      const [told, instead] = [key, `${key}-overwrite`].map((end) => parseIp(annotations[flannel + end] ?? ''));
      if (instead !== undefined && ofPods(instead) && !own.includes(instead))
        return [`"${name}" (it tells ${instead} by the annotation ${flannel}${key}-overwrite)`];
      return told !== undefined && isFar(told, networks) ? [`"${name}" (${told})`] : [];
    });
  });
  if (refused.length === 0) return;
  throw new KnownError(
    'BAD_CONFIG',
    `Cannot change the pod network to host-gw: not on the link of this node (${networks.join(', ')}) are ${refused.join(', ')}`,
    { hint: 'host-gw takes nodes on one link, each at its own address; vxlan with DirectRouting wraps only what crosses links' },
  );
}

/** A net-conf.json with another backend, and with everything else of it; undefined when it has that one. Pure. */
export function changedBackend(text: string, Type: string): string | undefined {
  const config = (parse(text) ?? {}) as { readonly Backend?: { readonly Type?: string } };
  if (config.Backend?.Type === Type) return undefined;
  return `${JSON.stringify({ ...config, Backend: { ...config.Backend, Type } }, undefined, 2)}\n`;
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
