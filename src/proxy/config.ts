/** KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) to options, as far as nftables mode has a use for it. */
import { parse } from 'yaml';
import { KnownError } from '../errors/known-error.ts';
import { modes } from './mode/modes.ts';
import type { ProxyOptions } from './options.ts';

type ConfiguredOptions = Partial<
  Pick<
    ProxyOptions,
    | 'clusterCidrs'
    | 'localMode'
    | 'bridgeInterface'
    | 'interfaceNamePrefix'
    | 'nodePortAddresses'
    | 'masqueradeAll'
    | 'minSyncPeriodMs'
    | 'syncPeriodMs'
    | 'healthzAddress'
    | 'metricsAddress'
    | 'nodeName'
    | 'mode'
  >
>;

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
const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a Go duration such as `1m30s`. */
function milliseconds(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text) throw bad(`"${text}" is no duration such as 30s`);
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (units[unit ?? ''] ?? 0), 0);
}

function bad(why: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use the KubeProxyConfiguration: ${why}`);
}

/** Reads the file's text. Throws BAD_CONFIG. Fields that nftables mode does not need are skipped. */
export function readProxyConfig(text: string): ConfiguredOptions {
  let config: KubeProxyConfiguration;
  try {
    config = (parse(text) ?? {}) as KubeProxyConfiguration;
  } catch (err) {
    throw new KnownError('BAD_CONFIG', 'Cannot read the KubeProxyConfiguration: it is no YAML', { cause: err });
  }
  if (config.kind !== 'KubeProxyConfiguration') throw bad(`kind is "${config.kind ?? ''}"`);
  if (config.mode && !Object.hasOwn(modes, config.mode))
    throw bad(`mode "${config.mode}" is not supported, use ${Object.keys(modes).join(' or ')}`);
  const mode = config.detectLocalMode;
  const localMode = localModes.find((known) => known === mode);
  if (mode && !localMode) throw bad(`detectLocalMode "${mode}" is none of ${localModes.join(', ')}`);
  const { nftables = {}, detectLocal = {} } = config;
  return {
    ...(config.mode ? { mode: config.mode } : {}),
    ...(config.clusterCIDR ? { clusterCidrs: config.clusterCIDR.split(',') } : {}),
    ...(localMode ? { localMode } : {}),
    ...(detectLocal.bridgeInterface ? { bridgeInterface: detectLocal.bridgeInterface } : {}),
    ...(detectLocal.interfaceNamePrefix ? { interfaceNamePrefix: detectLocal.interfaceNamePrefix } : {}),
    ...(config.nodePortAddresses?.length ? { nodePortAddresses: config.nodePortAddresses } : {}),
    ...(config.hostnameOverride ? { nodeName: config.hostnameOverride } : {}),
    ...(config.healthzBindAddress ? { healthzAddress: config.healthzBindAddress } : {}),
    ...(config.metricsBindAddress ? { metricsAddress: config.metricsBindAddress } : {}),
    ...(nftables.masqueradeAll === undefined ? {} : { masqueradeAll: nftables.masqueradeAll }),
    ...(nftables.syncPeriod ? { syncPeriodMs: milliseconds(nftables.syncPeriod) } : {}),
    ...(nftables.minSyncPeriod ? { minSyncPeriodMs: milliseconds(nftables.minSyncPeriod) } : {}),
  };
}
