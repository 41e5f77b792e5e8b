/**
 * A node's copy of what the cluster says for all nodes: read before anything starts, kept on the disk, so that a node comes up while the
 * control plane is away. Service proxy and pod network follow the files that are written here.
 */
import { dirname, join } from 'node:path';
import { configMaps, nodes as nodesResource } from '../../api/resource-types.ts';
import type { ConfigMap, Node } from '../../api/schema/types.ts';
import { readIfThere, readUnlessEmpty } from '../../bootstrap/secret-file.ts';
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { Informer } from '../../client/informer.ts';
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { isKnownError, KnownError, messageOf } from '../../errors/known-error.ts';
import { makeFolder, putFile } from '../../linux/put-file.ts';
import type { Log } from '../../observability/log.ts';
import {
  agentFlags,
  backendOf,
  followedText,
  type NodeSettings,
  networkText,
  type SettingsSources,
  settingsKeys,
  settingsNames,
  settingsNamespace,
  settingsOf,
} from './settings.ts';

export interface NodeSettingsOptions {
  readonly client: Client;
  /** Where the copy lies. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The name of the copy. */
const settingsCopy = 'settings.json';
/** The texts that a node's parts follow. */
const followed = { proxy: 'kube-proxy.conf', network: 'net-conf.json' } as const;

function filesIn(dir: string): Record<keyof typeof followed, string> {
  return { proxy: join(dir, followed.proxy), network: join(dir, followed.network) };
}

const delays = { durationMs: 500, capMs: 10_000 };

type Names = keyof typeof settingsNames;
const entries = Object.entries(settingsNames) as [Names, string][];

/** Whole or not at all: the proxy reads it at any moment. */
async function writeWhole(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) === text) return;
  makeFolder(dirname(path), 0o755);
  putFile(path, text, 0o644);
}

interface Fetched {
  readonly sources: SettingsSources;
  /** Those that are not there, or not for a node to read. */
  readonly missing: readonly Names[];
}

/** Without these a node cannot be; kubeadm lets every node read them. */
const needed: readonly Names[] = ['cluster', 'kubelet'];

async function fetchSources(client: Pick<Client, 'get'>, signal: AbortSignal): Promise<Fetched> {
  const found = await Promise.all(
    entries.map(async ([source, name]) => {
      const map = await client.get<ConfigMap>(configMaps, name, { namespace: settingsNamespace, signal }).catch((err: unknown) => {
        if (isNotFound(err) || (isForbidden(err) && !needed.includes(source))) return undefined;
        throw err;
      });
      return [source, map] as const;
    }),
  );
  const there = found.filter(([, map]) => map !== undefined);
  const missing = found.filter(([, map]) => map === undefined).map(([source]) => source);
  return { sources: Object.fromEntries(there), missing: missing.filter((source) => !needed.includes(source)) };
}

/** Of a cluster that kubeadm has made, in which nobody has said how pods cross nodes to all nodes: what they have said of themselves. */
export function refuseOtherNetworks(nodes: readonly Node[], backend: NodeSettings['backend']): void {
  for (const { metadata } of nodes) {
    const type = metadata.annotations?.['flannel.alpha.coreos.com/backend-type'];
    const vni = /"VNI":\s*(\d+)/.exec(metadata.annotations?.['flannel.alpha.coreos.com/backend-data'] ?? '')?.[1];
    if (type === undefined || (type === backend.type && (vni === undefined || Number(vni) === backend.vni))) continue;
    const theirs = `${type}${vni === undefined ? '' : ` with VNI ${vni}`}`;
    throw new KnownError(
      'BAD_CONFIG',
      `Cannot tell how pods cross nodes: node "${metadata.name}" has ${theirs}, and no ConfigMap says so`,
      {
        hint: `Write flannel's net-conf.json into ConfigMap ${settingsNamespace}/${settingsNames.network}, and let the group system:nodes get it`,
      },
    );
  }
}

/** Goes on with what every cluster has that says nothing else; throws BAD_CONFIG where other nodes show that this one does. */
async function withoutMissing({ client, log, signal }: NodeSettingsOptions, { sources, missing }: Fetched): Promise<NodeSettings> {
  const settings = settingsOf(sources);
  if (missing.length === 0) return settings;
  const { type, vni, port } = settings.backend;
  const presets: Readonly<Partial<Record<Names, string>>> = {
    network: `pods cross nodes by ${type} (VNI ${vni}, UDP port ${port})`,
    proxy: 'the service proxy has its presets, and does not follow the cluster',
  };
  for (const source of missing)
    log.warn(`ConfigMap "${settingsNamespace}/${settingsNames[source]}" is not there, or not for nodes to read: ${presets[source]}`);
  if (missing.includes('network')) {
    const nodes = await client.list<Node>(nodesResource, { signal }).catch((err: unknown) => {
      if (isForbidden(err)) return { items: [] };
      throw err;
    });
    refuseOtherNetworks(nodes.items, settings.backend);
  }
  return settings;
}

/** What the cluster says now, or said when it was last heard; waits for its first answer when there is neither. Gives flags for `fairlead agent`. */
export async function readNodeSettings(options: NodeSettingsOptions): Promise<Readonly<Record<string, string>>> {
  const { client, dir, clock, log, signal } = options;
  const backOff = new BackOff(delays);
  for (let said = ''; ; ) {
    try {
      const settings = await withoutMissing(options, await fetchSources(client, signal));
      await keepCopy(dir, settings);
      return agentFlags(settings, filesIn(dir));
    } catch (err) {
      // What somebody has to mend is told at once, and so is it that the node goes on with what it knows.
      const why = messageOf(err);
      if (signal.aborted) throw err;
      const known = await keptSettings(dir);
      if (known !== undefined) {
        log.warn(`Cannot read the settings of the cluster, those of before hold: ${why}`);
        await writeWhole(filesIn(dir).network, known.networkConfiguration);
        return agentFlags(known, filesIn(dir));
      }
      if (isKnownError(err, 'BAD_CONFIG')) throw err;
      if (why !== said) log.warn(`Cannot read the settings of the cluster yet: ${why}`);
      said = why;
      await clock.sleep(backOff.step(), signal);
    }
  }
}

/** The copy, with what was heard since it was written; undefined where there is none. */
export async function keptSettings(dir: string): Promise<NodeSettings | undefined> {
  const files = filesIn(dir);
  const paths = [join(dir, settingsCopy), files.proxy, files.network];
  const [text, proxyConfiguration, networkConfiguration] = await Promise.all(paths.map(readUnlessEmpty));
  if (text === undefined) return undefined;
  const settings = JSON.parse(text) as NodeSettings;
  // A copy of before nodes followed it has none.
  const network = networkConfiguration ?? settings.networkConfiguration ?? networkText(settings.backend);
  return {
    ...settings,
    ...(proxyConfiguration === undefined ? {} : { proxyConfiguration }),
    networkConfiguration: network,
    backend: backendOf(JSON.parse(network)),
  };
}

async function keepCopy(dir: string, settings: NodeSettings): Promise<void> {
  const files = filesIn(dir);
  await writeWhole(files.proxy, settings.proxyConfiguration);
  await writeWhole(files.network, settings.networkConfiguration);
  await writeWhole(join(dir, settingsCopy), `${JSON.stringify(settings, undefined, 2)}\n`);
}

/** Follows the settings of service proxy and pod network until the signal aborts; those of others hold from the next start of the node's agent. */
export async function followSettings(options: NodeSettingsOptions): Promise<void> {
  await Promise.all((['proxy', 'network'] as const).map((source) => followOne(source, options)));
}

async function followOne(source: keyof typeof followed, { client, dir, clock, log, signal }: NodeSettingsOptions): Promise<void> {
  // By name: the rights of a node are to these ConfigMaps, and not to all of them.
  const fieldSelector = `metadata.name=${settingsNames[source]}`;
  const informer = new Informer<ConfigMap>(client, configMaps, { namespace: settingsNamespace, fieldSelector, clock, log });
  let writing = Promise.resolve();
  const take = (map: ConfigMap): void => {
    if (map.data?.[settingsKeys[source]] === undefined) return;
    writing = writing
      .then(() => writeWhole(filesIn(dir)[source], followedText(source, map)))
      .catch((err) => log.error(`Cannot keep what ConfigMap "${settingsNames[source]}" says: ${messageOf(err)}`));
  };
  informer.on({ add: take, update: take });
  await informer.start(signal);
  await writing;
}
