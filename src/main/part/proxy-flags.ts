/** Flags of kube-proxy for single fields of its configuration, which a DaemonSet written for kube-proxy may use. */
import { type OptionSpec, textFlag } from '../../cli/command.ts';
import type { PartFlag } from './part.ts';

interface FieldFlag extends PartFlag {
  /** Of a KubeProxyConfiguration, by their paths with a space between them. */
  readonly fields: string;
}

function of(fields: string, value: string, help: string): FieldFlag {
  return { ...textFlag(value, help), fields, among: false };
}

function toggle(fields: string, help: string): FieldFlag {
  return { type: 'boolean', help, fields, among: false };
}

/** Known, so that a command line of kube-proxy's is taken as it is. */
function silent(fields: string, value: string, help: string): FieldFlag {
  return { ...of(fields, value, help), hidden: true };
}

const noEffect = 'kube-proxy has it; it changes nothing here';

/** The fields of those flags that other commands have, too. */
export const namedFields: Readonly<Record<string, string>> = {
  kubeconfig: 'clientConnection.kubeconfig',
  'hostname-override': 'hostnameOverride',
  'proxy-mode': 'mode',
  'ipvs-scheduler': 'ipvs.scheduler',
  'bind-address': 'bindAddress',
  'cluster-cidr': 'clusterCIDR',
  'healthz-bind-address': 'healthzBindAddress',
  'metrics-bind-address': 'metricsBindAddress',
};

/** By flag. A field's preset holds for a flag that is not given. */
export const fieldFlags: Readonly<Record<string, FieldFlag>> = {
  'detect-local-mode': of(
    'detectLocalMode',
    'MODE',
    'how pods are told from others: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix',
  ),
  'pod-bridge-interface': of('detectLocal.bridgeInterface', 'LINK', 'the bridge of the pods, for BridgeInterface'),
  'pod-interface-name-prefix': of(
    'detectLocal.interfaceNamePrefix',
    'PREFIX',
    "how names of the pods' links begin, for InterfaceNamePrefix",
  ),
  'nodeport-addresses': {
    ...of('nodePortAddresses', 'LIST', 'where node ports are served: primary, localhost, all, or ranges of addresses'),
    several: true,
  },
  'masquerade-all': toggle('iptables.masqueradeAll nftables.masqueradeAll', 'masquerade everything that goes to a cluster IP'),
  'iptables-masquerade-bit': of(
    'iptables.masqueradeBit',
    'BIT',
    'bit of the packet mark that says "masquerade", in modes iptables and ipvs (default 14)',
  ),
  'iptables-localhost-nodeports': toggle('iptables.localhostNodePorts', 'node ports answer at 127.0.0.1 in mode iptables (default true)'),
  'iptables-sync-period': of(
    'iptables.syncPeriod nftables.syncPeriod',
    'DURATION',
    'how often rules are compared with the kernel, in modes iptables and nftables (default 30s)',
  ),
  'iptables-min-sync-period': of(
    'iptables.minSyncPeriod nftables.minSyncPeriod',
    'DURATION',
    'changes within this time are applied together, in modes iptables and nftables',
  ),
  'ipvs-sync-period': of('ipvs.syncPeriod', 'DURATION', 'the same in mode ipvs (default 30s)'),
  'ipvs-min-sync-period': of('ipvs.minSyncPeriod', 'DURATION', 'the same in mode ipvs'),
  'ipvs-exclude-cidrs': { ...of('ipvs.excludeCIDRs', 'LIST', 'virtual servers in these ranges are left alone'), several: true },
  'ipvs-strict-arp': toggle('ipvs.strictARP', 'set arp_ignore to 1 and arp_announce to 2'),
  'ipvs-tcp-timeout': of('ipvs.tcpTimeout', 'DURATION', 'of idle TCP connections in mode ipvs; 0 leaves it as it is'),
  'ipvs-tcpfin-timeout': of('ipvs.tcpFinTimeout', 'DURATION', 'of TCP connections after a FIN in mode ipvs; 0 leaves it as it is'),
  'ipvs-udp-timeout': of('ipvs.udpTimeout', 'DURATION', 'of UDP in mode ipvs; 0 leaves it as it is'),
  'conntrack-max-per-core': of(
    'conntrack.maxPerCore',
    'N',
    'tracked connections for each core; 0 leaves the limit as it is (default 32768)',
  ),
  'conntrack-min': of('conntrack.min', 'N', 'tracked connections at least (default 131072)'),
  'conntrack-tcp-timeout-established': of(
    'conntrack.tcpEstablishedTimeout',
    'DURATION',
    'of idle TCP connections; 0 leaves it as it is (default 24h)',
  ),
  'conntrack-tcp-timeout-close-wait': of('conntrack.tcpCloseWaitTimeout', 'DURATION', 'of TCP connections in CLOSE_WAIT (default 1h)'),
  'conntrack-tcp-be-liberal': toggle('conntrack.tcpBeLiberal', 'take TCP packets outside of the window for valid'),
  'conntrack-udp-timeout': of('conntrack.udpTimeout', 'DURATION', 'of UDP without an answer; 0 leaves it as it is'),
  'conntrack-udp-timeout-stream': of('conntrack.udpStreamTimeout', 'DURATION', 'of UDP with answers; 0 leaves it as it is'),
  'oom-score-adj': of('oomScoreAdj', 'N', 'how late the kernel kills this process when memory is short, from -1000 to 1000 (default -999)'),
  'service-counters': toggle(
    'fairlead.serviceCounters',
    'count connections, bytes and refusals of each Service and endpoint, for /metrics, /metrics/endpoints and fairlead top services (default true)',
  ),
  'feature-gates': { ...silent('featureGates', 'GATE=true,…', noEffect), several: true },
  'kube-api-content-type': silent('clientConnection.contentType', 'TYPE', noEffect),
  'kube-api-qps': silent('clientConnection.qps', 'N', noEffect),
  'kube-api-burst': silent('clientConnection.burst', 'N', noEffect),
  'bind-address-hard-fail': toggle(
    'bindAddressHardFail',
    'an address for pages that is taken ends the start; else it is tried again and again',
  ),
  profiling: {
    ...toggle('enableProfiling', 'the metrics address has /debug/pprof, and a PUT of a number to /debug/flags/v there changes --v'),
    hidden: true,
  },
  'show-hidden-metrics-for-version': silent('showHiddenMetricsForVersion', 'VERSION', noEffect),
  'config-sync-period': silent('configSyncPeriod', 'DURATION', noEffect),
  'logging-format': silent('logging.format', 'text|json', '--log-format'),
  'log-flush-frequency': silent('logging.flushFrequency', 'DURATION', noEffect),
  v: { ...silent('logging.verbosity', 'LEVEL', '--log-level debug, from 4 on'), short: 'v' },
};

/** Ports of addresses that have flags of their own: 0 turns them off where no file is given, which is all that they do. */
export const portFlags: Readonly<Record<string, 'healthzBindAddress' | 'metricsBindAddress'>> = {
  'healthz-port': 'healthzBindAddress',
  'metrics-port': 'metricsBindAddress',
};

/** Those that hold over a file. */
export const loggingFlags: readonly string[] = ['logging-format', 'log-flush-frequency', 'v'];

function known(spec: OptionSpec): PartFlag {
  return { ...spec, among: false, hidden: true };
}

/** Flags that kube-proxy takes without using them, or has deprecated, with what it says of them. */
export const deprecatedFlags: Readonly<Record<string, string>> = {
  'healthz-port': 'use --healthz-bind-address',
  'metrics-port': 'use --metrics-bind-address',
  'proxy-port-range': 'it is of the userspace mode that kube-proxy had until 1.25',
  'udp-timeout': 'it is of the userspace mode that kube-proxy had until 1.25',
  'config-hot-reload': 'a configuration file is always followed',
  'log-text-split-stream': 'lines go to standard error',
  'log-text-info-buffer-size': 'each line is written at once',
  'log-json-split-stream': 'lines go to standard error',
  'log-json-info-buffer-size': 'each line is written at once',
  vmodule: 'there are no Go modules; --v=4 logs all that there is',
  'windows-service': 'this proxy runs on Linux',
  'machine-id-file': 'nothing here asks for the machine',
  'boot-id-file': 'nothing here asks for the machine',
};

/** Those among them that are switches. */
const deprecatedSwitches = ['log-text-split-stream', 'log-json-split-stream', 'config-hot-reload', 'windows-service'];

export const kubeProxyFlags: Readonly<Record<string, PartFlag>> = {
  ...Object.fromEntries(Object.entries(fieldFlags).map(([name, { fields: _, ...flag }]) => [name, flag])),
  ...Object.fromEntries(
    Object.entries(deprecatedFlags).map(([name, help]) => [
      name,
      known(deprecatedSwitches.includes(name) ? { type: 'boolean', help } : textFlag('VALUE', help)),
    ]),
  ),
};
