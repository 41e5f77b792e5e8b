/** The configuration of the service proxy from its flags and its file. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { checkTogether, completed, fieldFromText, readProxyConfig } from '../../proxy/config/config.ts';
import type { Given, KubeProxyConfiguration } from '../../proxy/config/kube-proxy-configuration.ts';
import type { FlagReader } from '../flag-reader.ts';
import { deprecatedFlags, fieldFlags, loggingFlags, namedFields, portFlags } from './proxy-flags.ts';

export interface ReadConfiguration {
  readonly configuration: KubeProxyConfiguration;
  /** Where it was read, and what it said. */
  readonly file?: { readonly path: string; readonly text: string };
  /** Flags that were given, by name. */
  readonly given: Readonly<Record<string, string>>;
}

/** What the flags say, then the file over it; the name of the node is the flag's, as DaemonSets need it, and so is logging. Throws USAGE and BAD_CONFIG. */
export function configurationOf(given: Readonly<Record<string, string>>, fileText?: string): KubeProxyConfiguration {
  const fieldsOf = (flags: readonly string[]): Given<KubeProxyConfiguration>[] => flags.flatMap((flag) => fieldsOfFlag(flag, given[flag]));
  const off = Object.entries(portFlags).flatMap(([flag, field]) => (Number(given[flag] || 1) === 0 ? [{ [field]: '' }] : []));
  const flags = fieldsOf(Object.keys(given));
  const configuration =
    fileText === undefined
      ? completed(...flags, ...off)
      : completed(...flags, readProxyConfig(fileText, ...flags), ...fieldsOf(['hostname-override', ...loggingFlags]));
  checkTogether(configuration);
  return configuration;
}

function fieldsOfFlag(flag: string, text: string | undefined): Given<KubeProxyConfiguration>[] {
  if (text === undefined) return [];
  const paths = (namedFields[flag] ?? fieldFlags[flag]?.fields ?? '').split(' ').filter(Boolean);
  return paths.map((path) => fieldFromText(path, text, flag));
}

/** The name of the Node, as kube-proxy reads it. Source: component-helpers/node/util GetHostname */
export function nodeNameIn({ hostnameOverride }: KubeProxyConfiguration): string {
  return (hostnameOverride || hostname()).trim().toLowerCase();
}

/** Empty says "nowhere" for an address, and nothing for any other flag. */
const mayBeEmpty = ['healthz-bind-address', 'metrics-bind-address'];

export async function readConfiguration(read: FlagReader): Promise<ReadConfiguration> {
  const names = [...Object.keys(namedFields), ...Object.keys(fieldFlags), ...Object.keys(deprecatedFlags)];
  const values = names.flatMap((name) => {
    const text = read.given(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  const given = Object.fromEntries(values.filter(([name, text]) => text !== '' || mayBeEmpty.includes(name)));
  const path = read.optional('config');
  if (path === undefined) return { configuration: configurationOf(given), given };
  const text = await readFile(path, 'utf8');
  return { configuration: configurationOf(given, text), file: { path, text }, given };
}
