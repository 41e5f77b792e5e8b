/** The configuration of the service proxy from its flags and its file. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { completed, fieldFromText, readProxyConfig } from '../../proxy/config/config.ts';
import type { KubeProxyConfiguration } from '../../proxy/config/kube-proxy-configuration.ts';
import type { FlagReader } from '../flag-reader.ts';
import { deprecatedFlags, fieldFlags, namedFields } from './proxy-flags.ts';

export interface ReadConfiguration {
  readonly configuration: KubeProxyConfiguration;
  /** Where it was read, and what it said. */
  readonly file?: { readonly path: string; readonly text: string };
  /** Flags that were given, by name. */
  readonly given: Readonly<Record<string, string>>;
}

/** What the flags say, then the file over it; the name of the node is the flag's, as DaemonSets need it. Throws USAGE and BAD_CONFIG. */
export function configurationOf(given: Readonly<Record<string, string>>, fileText?: string): KubeProxyConfiguration {
  const fields = Object.entries(given).flatMap(([flag, text]) => {
    const paths = (namedFields[flag] ?? fieldFlags[flag]?.fields ?? '').split(' ').filter(Boolean);
    return paths.map((path) => fieldFromText(path, text, flag));
  });
  const name = given['hostname-override'];
  const fixed = name === undefined ? [] : [fieldFromText('hostnameOverride', name, 'hostname-override')];
  return completed(...fields, ...(fileText === undefined ? [] : [readProxyConfig(fileText)]), ...fixed);
}

/** The name of the Node, as kube-proxy reads it. Source: component-helpers/node/util GetHostname */
export function nodeNameIn({ hostnameOverride }: KubeProxyConfiguration): string {
  return (hostnameOverride || hostname()).trim().toLowerCase();
}

/** Empty says "nowhere" for an address, and nothing for any other flag. */
const mayBeEmpty = ['healthz-bind-address', 'metrics-bind-address'];

export async function readConfiguration(read: FlagReader): Promise<ReadConfiguration> {
  const names = [...Object.keys(namedFields), ...Object.keys(fieldFlags), ...Object.keys(deprecatedFlags)];
  const values = names.map((name) => [name, read.text(name)] as const);
  const given = Object.fromEntries(values.filter(([name, text]) => text !== '' || mayBeEmpty.includes(name)));
  const path = read.optional('config');
  if (path === undefined) return { configuration: configurationOf(given), given };
  const text = await readFile(path, 'utf8');
  return { configuration: configurationOf(given, text), file: { path, text }, given };
}
