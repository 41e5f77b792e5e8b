/** The settings of the service proxy in a cluster that is there already: what flags of a second "fairlead init" say, every node takes over while it runs. */
import { parseDocument } from 'yaml';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import type { ClusterWish } from '../config/cluster-plan.ts';
import { settingsKeys, settingsNames, settingsNamespace } from '../settings/settings.ts';

/** The text with what is wished, and with everything else of it, comments too; undefined when it says that already. Pure. */
export function changedProxySettings(text: string, { proxyMode, ipvsScheduler }: ClusterWish): string | undefined {
  const document = parseDocument(text);
  const wished: readonly (readonly [path: readonly string[], value: string | undefined])[] = [
    [['mode'], proxyMode],
    [['ipvs', 'scheduler'], ipvsScheduler],
  ];
  const changes = wished.filter(([path, value]) => value !== undefined && document.getIn(path) !== value);
  for (const [path, value] of changes) document.setIn(path, value);
  return changes.length > 0 ? document.toString() : undefined;
}

/** Whether anything was changed. */
export async function changeProxySettings(client: Client, wish: ClusterWish): Promise<boolean> {
  const where = { namespace: settingsNamespace };
  const { data } = await client.get<ConfigMap>(configMaps, settingsNames.proxy, where);
  const text = changedProxySettings(data?.[settingsKeys.proxy] ?? '', wish);
  if (text === undefined) return false;
  await client.patch<ConfigMap>(configMaps, settingsNames.proxy, { data: { [settingsKeys.proxy]: text } }, where);
  return true;
}
