/**
 * A node's copy of what the cluster says for all nodes: read before anything starts, kept on the disk, so that a node comes up while the
 * control plane is away. The service proxy follows the file that is written here.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { Informer } from '../../client/informer.ts';
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { isKnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import {
  agentFlags,
  type NodeSettings,
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
export const settingsCopy = 'settings.json';
const proxyFile = 'kube-proxy.conf';
const delays = { durationMs: 500, capMs: 10_000 };

type Names = keyof typeof settingsNames;
const entries = Object.entries(settingsNames) as [Names, string][];

/** Whole or not at all: the proxy reads it at any moment. */
async function writeWhole(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) === text) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(`${path}.next`, text);
  await rename(`${path}.next`, path);
}

async function fetchSources(client: Client, signal: AbortSignal): Promise<SettingsSources> {
  const found = await Promise.all(
    entries.map(async ([source, name]) => {
      const map = await client.get<ConfigMap>(configMaps, name, { namespace: settingsNamespace, signal }).catch(ignoreNotFound);
      return [source, map] as const;
    }),
  );
  return Object.fromEntries(found.filter(([, map]) => map !== undefined));
}

/** What the cluster says now, or said when it was last heard; waits for its first answer when there is neither. Gives flags for `fairlead agent`. */
export async function readNodeSettings(options: NodeSettingsOptions): Promise<Readonly<Record<string, string>>> {
  const { client, dir, clock, log, signal } = options;
  const copy = join(dir, settingsCopy);
  const backOff = new BackOff(delays);
  for (let said = ''; ; ) {
    try {
      const settings = settingsOf(await fetchSources(client, signal));
      await keepCopy(dir, settings);
      return agentFlags(settings, join(dir, proxyFile));
    } catch (err) {
      // What somebody has to mend is told at once, and so is it that the node goes on with what it knows.
      const why = messageOf(err);
      if (signal.aborted) throw err;
      const known = await readIfThere(copy);
      if (known !== undefined) {
        log.warn(`Cannot read the settings of the cluster, those of before hold: ${why}`);
        return agentFlags(JSON.parse(known) as NodeSettings, join(dir, proxyFile));
      }
      if (isKnownError(err, 'BAD_CONFIG')) throw err;
      if (why !== said) log.warn(`Cannot read the settings of the cluster yet: ${why}`);
      said = why;
      await clock.sleep(backOff.step(), signal);
    }
  }
}

async function keepCopy(dir: string, settings: NodeSettings): Promise<void> {
  await writeWhole(join(dir, proxyFile), settings.proxyConfiguration);
  await writeWhole(join(dir, settingsCopy), `${JSON.stringify(settings, undefined, 2)}\n`);
}

/** Follows the settings of the service proxy until the signal aborts; those of others hold from the next start of the node's agent. */
export async function followProxySettings({ client, dir, clock, log, signal }: NodeSettingsOptions): Promise<void> {
  // By name: the rights of a node are to this ConfigMap, and not to all of them.
  const fieldSelector = `metadata.name=${settingsNames.proxy}`;
  const informer = new Informer<ConfigMap>(client, configMaps, { namespace: settingsNamespace, fieldSelector, clock, log });
  let writing = Promise.resolve();
  const take = ({ data }: ConfigMap): void => {
    const text = data?.[settingsKeys.proxy];
    if (text === undefined) return;
    writing = writing
      .then(() => writeWhole(join(dir, proxyFile), text))
      .catch((err) => log.error(`Cannot keep the settings of the service proxy: ${messageOf(err)}`));
  };
  informer.on({ add: take, update: take });
  await informer.start(signal);
  await writing;
}
