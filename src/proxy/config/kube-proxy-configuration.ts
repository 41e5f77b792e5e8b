/** KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) as upstream writes it, and what it says where a file says nothing. Durations are Go's. */

export const configApiVersion = 'kubeproxy.config.k8s.io/v1alpha1';
export const configKind = 'KubeProxyConfiguration';

interface SyncPeriods {
  syncPeriod: string;
  minSyncPeriod: string;
}

interface LogOptions {
  infoBufferSize: string;
  splitStream: boolean;
}

interface Masquerade {
  masqueradeBit: number;
  masqueradeAll: boolean;
}

export interface ConntrackConfiguration {
  maxPerCore: number;
  min: number;
  tcpEstablishedTimeout: string;
  tcpCloseWaitTimeout: string;
  tcpBeLiberal: boolean;
  udpTimeout: string;
  udpStreamTimeout: string;
}

export interface KubeProxyConfiguration {
  featureGates: Record<string, boolean>;
  clientConnection: { kubeconfig: string; acceptContentTypes: string; contentType: string; qps: number; burst: number };
  logging: {
    format: string;
    flushFrequency: string;
    verbosity: number;
    vmodule: object[];
    options: { json: LogOptions; text: LogOptions };
  };
  hostnameOverride: string;
  bindAddress: string;
  healthzBindAddress: string;
  metricsBindAddress: string;
  bindAddressHardFail: boolean;
  enableProfiling: boolean;
  showHiddenMetricsForVersion: string;
  mode: string;
  iptables: Masquerade & SyncPeriods & { localhostNodePorts: boolean; snatNodeInternalIP: boolean };
  ipvs: SyncPeriods & {
    scheduler: string;
    excludeCIDRs: string[];
    strictARP: boolean;
    tcpTimeout: string;
    tcpFinTimeout: string;
    udpTimeout: string;
  };
  nftables: Masquerade & SyncPeriods;
  winkernel: {
    networkName: string;
    sourceVip: string;
    enableDSR: boolean;
    rootHnsEndpointName: string;
    forwardHealthCheckVip: boolean;
  };
  detectLocalMode: string;
  detectLocal: { bridgeInterface: string; interfaceNamePrefix: string };
  clusterCIDR: string;
  nodePortAddresses: string[];
  oomScoreAdj: number;
  conntrack: ConntrackConfiguration;
  configSyncPeriod: string;
  portRange: string;
  windowsRunAsService: boolean;
  /** Our own, which kube-proxy skips with a warning. */
  fairlead: { algorithm: string; serviceCounters: boolean };
}

/** The same with every field left out that is as it was. */
export type Given<T> = { [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Given<T[K]> : T[K] };

const toOneStream: LogOptions = { infoBufferSize: '0', splitStream: false };

/** kube-proxy's own presets, but for the mode and for the least time between syncs: a sync costs little here. */
export const configDefaults: KubeProxyConfiguration = {
  featureGates: {},
  clientConnection: {
    kubeconfig: '',
    acceptContentTypes: '',
    contentType: 'application/vnd.kubernetes.protobuf',
    qps: 5,
    burst: 10,
  },
  logging: { format: 'text', flushFrequency: '5s', verbosity: 0, vmodule: [], options: { json: toOneStream, text: toOneStream } },
  hostnameOverride: '',
  bindAddress: '0.0.0.0',
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  bindAddressHardFail: false,
  enableProfiling: false,
  showHiddenMetricsForVersion: '',
  mode: 'nftables',
  iptables: {
    masqueradeBit: 14,
    masqueradeAll: false,
    localhostNodePorts: true,
    snatNodeInternalIP: false,
    syncPeriod: '30s',
    minSyncPeriod: '100ms',
  },
  ipvs: {
    syncPeriod: '30s',
    minSyncPeriod: '20ms',
    scheduler: '',
    excludeCIDRs: [],
    strictARP: false,
    tcpTimeout: '0s',
    tcpFinTimeout: '0s',
    udpTimeout: '0s',
  },
  nftables: { masqueradeBit: 14, masqueradeAll: false, syncPeriod: '30s', minSyncPeriod: '20ms' },
  winkernel: { networkName: '', sourceVip: '', enableDSR: false, rootHnsEndpointName: '', forwardHealthCheckVip: false },
  detectLocalMode: '',
  detectLocal: { bridgeInterface: '', interfaceNamePrefix: '' },
  clusterCIDR: '',
  nodePortAddresses: [],
  oomScoreAdj: -999,
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeout: '24h0m0s',
    tcpCloseWaitTimeout: '1h0m0s',
    tcpBeLiberal: false,
    udpTimeout: '0s',
    udpStreamTimeout: '0s',
  },
  configSyncPeriod: '15m0s',
  portRange: '',
  windowsRunAsService: false,
  fairlead: { algorithm: '', serviceCounters: true },
};
