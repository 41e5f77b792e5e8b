/** KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) to options, as far as nftables mode has a use for it. */
import { parse } from 'yaml';
import { parseDuration } from '../clock/duration.ts';
import { KnownError } from '../errors/known-error.ts';
import { modes } from './mode/modes.ts';
import type { ProxyOptions } from './options.ts';

interface KubeProxyConfiguration {
  apiVersion?: string;
  kind?: string;
  mode?: string;
  clusterCIDR?: string;
  detectLocalMode?: string;
  detectLocal?: { bridgeInterface?: string; interfaceNamePrefix?: string };
  nodePortAddresses?: string[] | null;
  hostnameOverride?: string;
  healthzBindAddress?: string;
  metricsBindAddress?: string;
  nftables?: { masqueradeAll?: boolean; syncPeriod?: string; minSyncPeriod?: string };
}

const localModes = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const;

/** In milliseconds; undefined for a field that is not there. */
function milliseconds(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw bad(`"${text}" is no duration such as 30s`);
  return ms;
}

function bad(why: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use the KubeProxyConfiguration: ${why}`, { hint: 'See kubeproxy.config.k8s.io/v1alpha1' });
}

function read(text: string): KubeProxyConfiguration {
  try {
    return (parse(text) ?? {}) as KubeProxyConfiguration;
  } catch (err) {
    throw new KnownError('BAD_CONFIG', 'Cannot read the KubeProxyConfiguration: it is no YAML', {
      cause: err,
      hint: 'It takes YAML or JSON',
    });
  }
}

function modeOf({ mode }: KubeProxyConfiguration): string | undefined {
  if (mode && !Object.hasOwn(modes, mode)) throw bad(`mode "${mode}" is not supported, use ${Object.keys(modes).join(' or ')}`);
  return mode;
}

function localModeOf({ detectLocalMode: mode }: KubeProxyConfiguration): ProxyOptions['localMode'] {
  const known = localModes.find((name) => name === mode);
  if (mode && !known) throw bad(`detectLocalMode "${mode}" is none of ${localModes.join(', ')}`);
  return known;
}

/** Reads the file's text. Throws BAD_CONFIG. Fields that nftables mode does not need are skipped; an empty one is as good as none. */
export function readProxyConfig(text: string): Partial<ProxyOptions> {
  const config = read(text);
  if (config.kind !== 'KubeProxyConfiguration') throw bad(`kind is "${config.kind ?? ''}"`);
  const { nftables = {}, detectLocal = {}, nodePortAddresses } = config;
  const options: { [Name in keyof ProxyOptions]?: ProxyOptions[Name] | '' | undefined } = {
    mode: modeOf(config),
    clusterCidrs: config.clusterCIDR ? config.clusterCIDR.split(',') : undefined,
    localMode: localModeOf(config),
    bridgeInterface: detectLocal.bridgeInterface,
    interfaceNamePrefix: detectLocal.interfaceNamePrefix,
    nodePortAddresses: nodePortAddresses?.length ? nodePortAddresses : undefined,
    nodeName: config.hostnameOverride,
    healthzAddress: config.healthzBindAddress,
    metricsAddress: config.metricsBindAddress,
    masqueradeAll: nftables.masqueradeAll,
    syncPeriodMs: milliseconds(nftables.syncPeriod),
    minSyncPeriodMs: milliseconds(nftables.minSyncPeriod),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== '')) as Partial<ProxyOptions>;
}
