/** What a KubeProxyConfiguration tells the proxy in its mode. Pure. */
import { isIPv6 } from 'node:net';
import { parseDuration } from '../../clock/duration.ts';
import { isIp, isUnspecified } from '../../ip/ip.ts';
import type { ModeOptions } from '../mode/mode.ts';
import type { ProxyOptions } from '../options.ts';
import { readAlgorithm } from '../plan/algorithm.ts';
import type { localModes } from './check.ts';
import type { KubeProxyConfiguration } from './kube-proxy-configuration.ts';

/** In milliseconds. */
function ms(text: string): number {
  return parseDuration(text) ?? 0;
}

/** With the port added to an address alone. */
function withPort(address: string, port: number): string | undefined {
  if (address === '') return undefined;
  if (!isIp(address)) return address;
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function modeOptions({ mode, iptables, nftables, ipvs, conntrack }: KubeProxyConfiguration): ModeOptions {
  return {
    masqueradeBit: (mode === 'nftables' ? nftables : iptables).masqueradeBit,
    localhostNodePorts: iptables.localhostNodePorts,
    conntrackLiberal: conntrack.tcpBeLiberal,
    ipvs: {
      excludeCidrs: ipvs.excludeCIDRs,
      strictArp: ipvs.strictARP,
      tcpTimeoutMs: ms(ipvs.tcpTimeout),
      tcpFinTimeoutMs: ms(ipvs.tcpFinTimeout),
      udpTimeoutMs: ms(ipvs.udpTimeout),
    },
  };
}

/** As in kube-proxy: nftables serves them at the node's primary addresses by itself, modes that are older than that everywhere. */
function nodePorts({ mode, iptables, nodePortAddresses }: KubeProxyConfiguration): Partial<Settings> {
  const isOld = mode === 'iptables' || mode === 'ipvs';
  const addresses = nodePortAddresses.length > 0 ? nodePortAddresses : isOld ? ['all'] : [];
  const named = addresses.length > 0 ? { nodePortAddresses: addresses } : {};
  if (mode === 'iptables') return iptables.localhostNodePorts ? { ...named, loopbackNodePorts: 'rules' } : named;
  return addresses.some(isLoopbackRange) ? { ...named, loopbackNodePorts: 'relay' } : named;
}

/** Explicitly: `all` is not meant. */
function isLoopbackRange(text: string): boolean {
  return text === 'localhost' || text.startsWith('127.') || text.startsWith('::1/');
}

type Settings = Omit<ProxyOptions, 'client' | 'nodeName'>;

export function proxySettings(config: KubeProxyConfiguration): Settings {
  const { bindAddress, healthzBindAddress, metricsBindAddress, detectLocal, iptables, ipvs } = config;
  const periods = config.mode === 'ipvs' ? ipvs : config.mode === 'iptables' ? iptables : config.nftables;
  const healthzAddress = withPort(healthzBindAddress, 10_256);
  const metricsAddress = withPort(metricsBindAddress, 10_249);
  const algorithm = readAlgorithm(config.fairlead.algorithm) ?? readAlgorithm(ipvs.scheduler);
  const nodeIps = bindAddress.split(',').filter((ip) => !isUnspecified(ip));
  return {
    mode: config.mode,
    modeOptions: modeOptions(config),
    clusterCidrs: config.clusterCIDR.split(',').filter(Boolean),
    masqueradeAll: (config.mode === 'nftables' ? config.nftables : iptables).masqueradeAll,
    syncPeriodMs: ms(periods.syncPeriod),
    minSyncPeriodMs: ms(periods.minSyncPeriod),
    ...(nodeIps.length > 0 ? { nodeIps } : {}),
    ...(config.detectLocalMode ? { localMode: config.detectLocalMode as (typeof localModes)[number] } : {}),
    ...(detectLocal.bridgeInterface ? { bridgeInterface: detectLocal.bridgeInterface } : {}),
    ...(detectLocal.interfaceNamePrefix ? { interfaceNamePrefix: detectLocal.interfaceNamePrefix } : {}),
    bindAddressHardFail: config.bindAddressHardFail,
    ...(config.enableProfiling ? { debugFlags: true } : {}),
    serviceCounters: config.fairlead.serviceCounters,
    ...nodePorts(config),
    ...(healthzAddress === undefined ? {} : { healthzAddress }),
    ...(metricsAddress === undefined ? {} : { metricsAddress }),
    ...(algorithm ? { algorithm } : {}),
  };
}
