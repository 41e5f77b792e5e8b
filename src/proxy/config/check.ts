/** What each field of a KubeProxyConfiguration may say, and which of them nothing here heeds. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import { parseDuration } from '../../clock/duration.ts';
import { familyOf, isIp, parseCidr } from '../../ip/ip.ts';
import { modes } from '../mode/modes.ts';
import { readAlgorithm, schedulers } from '../plan/algorithm.ts';
import type { KubeProxyConfiguration } from './kube-proxy-configuration.ts';

/** Why a value will not do; undefined when it will. */
type Check = (value: never) => string | undefined;

export const localModes = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const;

/** One address, or one of each family. */
function areOneOfEach(ips: readonly string[]): boolean {
  return ips.length <= 2 && ips.every(isIp) && new Set(ips.map(familyOf)).size === ips.length;
}

function among(words: readonly string[]): Check {
  return (text: string) => (text === '' || words.includes(text) ? undefined : `it is none of ${words.join(', ')}`);
}

function from(min: number, max: number): Check {
  return (value: number) => (Number.isInteger(value) && value >= min && value <= max ? undefined : `it is no number from ${min} to ${max}`);
}

function duration(text: string): string | undefined {
  const ms = parseDuration(text);
  if (ms === undefined) return 'it is no duration such as 30s';
  return ms < 0 ? 'it is less than nothing' : undefined;
}

function period(text: string): string | undefined {
  return duration(text) ?? (parseDuration(text) === 0 ? 'it must be greater than 0' : undefined);
}

/** `HOST:PORT`; kube-proxy takes a HOST alone, too, and adds its usual port. */
function hostPort(text: string): string | undefined {
  if (text === '' || isIp(text)) return undefined;
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const isHost = host === '' || isIPv4(host) || (bare !== host && isIPv6(bare));
  return isHost && Number(port) > 0 && Number(port) <= 65_535 ? undefined : 'it is no address such as 0.0.0.0:10256';
}

function clusterCidr(text: string): string | undefined {
  const ranges = text.split(',').filter(Boolean);
  if (ranges.some((range) => !range.includes('/') || !parseCidr(range))) return 'it is no range such as 10.244.0.0/16';
  const families = new Set(ranges.map((range) => familyOf(range)));
  return ranges.length > families.size ? 'it takes one range of each family' : undefined;
}

function cidrs(list: readonly string[]): string | undefined {
  const wrong = list.find((text) => !text.includes('/') || !parseCidr(text));
  return wrong === undefined ? undefined : `"${wrong}" is no range of addresses`;
}

function nodePortAddresses(list: readonly string[]): string | undefined {
  return cidrs(list.filter((entry) => !['primary', 'localhost', 'all'].includes(entry)));
}

function featureGates(gates: Readonly<Record<string, unknown>>): string | undefined {
  const [gate] = Object.entries(gates).find(([, value]) => typeof value !== 'boolean') ?? [];
  return gate === undefined ? undefined : `${gate} takes true or false`;
}

/** What fields may not say together, each with what is wrong. */
export function togetherWrong({ mode, iptables, ipvs, nftables, detectLocalMode, detectLocal }: KubeProxyConfiguration): string[] {
  const [name, periods] = mode === 'ipvs' ? ['ipvs', ipvs] : mode === 'iptables' ? ['iptables', iptables] : ['nftables', nftables];
  const { syncPeriod, minSyncPeriod } = periods as KubeProxyConfiguration['nftables'];
  const isLacking = {
    BridgeInterface: detectLocal.bridgeInterface === '',
    InterfaceNamePrefix: detectLocal.interfaceNamePrefix === '',
  }[detectLocalMode];
  return [
    ...((parseDuration(minSyncPeriod) ?? 0) > (parseDuration(syncPeriod) ?? 0)
      ? [`${name}.minSyncPeriod is "${minSyncPeriod}": it is longer than syncPeriod, which is "${syncPeriod}"`]
      : []),
    ...(isLacking ? [`detectLocalMode is "${detectLocalMode}": it takes detectLocal.${unfirst(detectLocalMode)}`] : []),
  ];
}

function unfirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}

export const checks: Readonly<Record<string, Check>> = {
  mode: among(Object.keys(modes)),
  bindAddress: (text: string) => (areOneOfEach(text.split(',')) ? undefined : 'it is no address'),
  healthzBindAddress: hostPort,
  metricsBindAddress: hostPort,
  clusterCIDR: clusterCidr,
  detectLocalMode: among(localModes),
  featureGates,
  nodePortAddresses,
  oomScoreAdj: from(-1000, 1000),
  configSyncPeriod: period,
  'clientConnection.burst': from(0, 2 ** 31 - 1),
  'logging.format': among(['text', 'json']),
  'logging.verbosity': from(0, 100),
  'iptables.masqueradeBit': from(0, 31),
  'iptables.syncPeriod': period,
  'iptables.minSyncPeriod': duration,
  'nftables.masqueradeBit': from(0, 31),
  'nftables.syncPeriod': period,
  'nftables.minSyncPeriod': duration,
  'ipvs.syncPeriod': period,
  'ipvs.minSyncPeriod': duration,
  'ipvs.scheduler': among(schedulers),
  'ipvs.excludeCIDRs': cidrs,
  'ipvs.tcpTimeout': duration,
  'ipvs.tcpFinTimeout': duration,
  'ipvs.udpTimeout': duration,
  'conntrack.maxPerCore': from(0, 2 ** 31 - 1),
  'conntrack.min': from(0, 2 ** 31 - 1),
  'conntrack.tcpEstablishedTimeout': duration,
  'conntrack.tcpCloseWaitTimeout': duration,
  'conntrack.udpTimeout': duration,
  'conntrack.udpStreamTimeout': duration,
  'fairlead.algorithm': (text: string) =>
    text === '' || readAlgorithm(text) ? undefined : 'it is no algorithm such as round-robin or least-connection',
};

/** Fields that are right and change nothing, with the reason: told when one says something else than its preset. */
export const withoutEffect: Readonly<Record<string, string>> = {
  'clientConnection.acceptContentTypes': 'the client speaks JSON',
  'clientConnection.contentType': 'the client speaks JSON',
  'clientConnection.qps': 'a proxy sends a handful of requests, which nothing holds back',
  'clientConnection.burst': 'a proxy sends a handful of requests, which nothing holds back',
  'logging.flushFrequency': 'each line is written at once',
  'logging.vmodule': 'there are no Go modules; --v=4 logs all that there is',
  'logging.options.json': 'lines go to standard error, each at once',
  'logging.options.text': 'lines go to standard error, each at once',
  showHiddenMetricsForVersion: 'no metric is hidden',
  'iptables.snatNodeInternalIP': "masquerading takes the address of the packet's way out",
  'nftables.masqueradeBit': 'nftables mode marks no packets',
  configSyncPeriod: 'watches tell every change, and a list follows a watch that broke',
  portRange: 'it is unused upstream, too',
};

/** The same where the proxy is one of several parts of its process. */
export const withoutEffectAmong: Readonly<Record<string, string>> = {
  enableProfiling: 'the log is that of other parts, too',
  'logging.format': 'the log is that of other parts, too; --log-format holds',
  'logging.verbosity': 'the log is that of other parts, too; --log-level holds',
  oomScoreAdj: 'the process is that of other parts, too',
};

/** Sections that a proxy reads once, when it starts, but for the verbosity of its log. */
export const readOnce = ['clientConnection', 'logging'] as const;

/** Fields of other systems: anything but their presets is refused. */
export const ofOtherSystems: readonly string[] = ['winkernel', 'windowsRunAsService'];
