import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Command, defineCommand } from '../cli/command.ts';
import { choiceFlag } from './choice.ts';
import { cidrFlag, durationFlag, ipFlag, numberFlag, portFlag } from './flag-values.ts';
import { logFormat, logLevel, processLog } from './process-log.ts';

/** What a node consists of; the CNI plugin's server comes with the net-agent. */
export const agentParts = ['kubelet', 'net-agent', 'proxy', 'dns'] as const;
export type AgentPart = (typeof agentParts)[number];

/** Also of the commands that run one part alone. */
export const agentOptions = {
  parts: {
    type: 'string',
    default: '*',
    value: 'LIST',
    help: 'what runs: kubelet, net-agent, proxy, dns; "*,-proxy" for all but one',
  },
  'node-name': { type: 'string', value: 'NAME', help: 'name of the Node object (default: the host name)' },
  'node-ip': { type: 'string', value: 'IP', help: 'address under which the other nodes reach this one' },
  'kubeconfig-dir': {
    type: 'string',
    default: '/etc/fairlead',
    value: 'DIR',
    help: 'kubelet.kubeconfig, proxy.kubeconfig, net-agent.kubeconfig, dns.kubeconfig',
  },
  kubeconfig: { type: 'string', value: 'FILE', help: "for the parts without one in that directory, such as a node's own kubelet.conf" },
  'tls-dir': { type: 'string', default: '/etc/fairlead', value: 'DIR', help: "kubelet.crt, kubelet.key and the clients' ca.crt" },
  'runtime-endpoint': {
    type: 'string',
    default: 'unix:///run/containerd/containerd.sock',
    value: 'URL',
    help: 'the container runtime, over CRI',
  },
  'root-dir': { type: 'string', default: '/var/lib/kubelet', value: 'DIR', help: "where the pods' volumes live" },
  'state-dir': {
    type: 'string',
    default: '/var/lib/fairlead/agent',
    value: 'DIR',
    help: 'what must survive a reboot: addresses given to pods',
  },
  'run-dir': { type: 'string', default: '/run/fairlead', value: 'DIR', help: 'sockets' },
  'pod-manifest-path': {
    type: 'string',
    default: '/etc/kubernetes/manifests',
    value: 'DIR',
    help: 'manifests of static pods; empty for none',
  },
  'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d', value: 'DIR', help: 'where the runtime looks for its network' },
  'cni-bin-dir': { type: 'string', default: '/opt/cni/bin', value: 'DIR', help: 'where the runtime looks for plugins' },
  'cluster-dns': { type: 'string', default: '10.96.0.10', value: 'IP', help: 'DNS server that pods are told' },
  'cluster-domain': { type: 'string', default: 'cluster.local', value: 'NAME', help: 'zone of the cluster' },
  'cluster-cidr': { type: 'string', default: '10.244.0.0/16', value: 'CIDR', help: 'range of the pods' },
  'service-cidr': {
    type: 'string',
    default: '10.96.0.0/16',
    value: 'CIDR',
    help: 'range of the Services; an address nobody has is refused',
  },
  'resolv-conf': { type: 'string', default: '/etc/resolv.conf', value: 'FILE', help: 'resolvers for names outside the cluster' },
  'register-with-taints': { type: 'string', default: '', value: 'KEY=VALUE:EFFECT,…', help: 'taints of a new Node' },
  'node-labels': { type: 'string', default: '', value: 'KEY=VALUE,…', help: 'labels of a new Node' },
  'vxlan-vni': { type: 'string', default: '1', value: 'N', help: 'VXLAN network identifier' },
  'vxlan-port': { type: 'string', default: '8472', value: 'PORT', help: 'UDP port of VXLAN' },
  'dns-health-address': { type: 'string', value: 'HOST:PORT', help: 'where DNS serves /health' },
  'dns-ready-address': { type: 'string', value: 'HOST:PORT', help: 'where DNS serves /ready' },
  'dns-metrics-address': { type: 'string', value: 'HOST:PORT', help: 'where DNS serves /metrics' },
  'dns-lameduck': { type: 'string', default: '5s', value: 'DURATION', help: 'how long DNS goes on answering when it is told to stop' },
  'dns-max-watch-age': {
    type: 'string',
    default: '0s',
    value: 'DURATION',
    help: '/ready of DNS says no when the API server was not heard for so long; 0 for never',
  },
  'proxy-config': { type: 'string', value: 'FILE', help: 'settings of the service proxy: a KubeProxyConfiguration' },
  'masquerade-pods': { type: 'boolean', default: true, help: 'give pods the address of their node when they speak to the world' },
} as const;

export const agentCommand: Command = defineCommand({
  name: 'agent',
  summary: 'run a node: kubelet, pod network, service proxy, DNS',
  examples: [
    'fairlead agent --kubeconfig-dir /etc/fairlead --tls-dir /etc/fairlead --node-ip 192.0.2.11',
    "fairlead agent --parts='*,-proxy' # beside a kube-proxy",
    'fairlead agent --parts=dns --node-ip 192.0.2.11 # needs nothing but dns.kubeconfig',
  ],
  options: { ...agentOptions, 'log-level': logLevel, 'log-format': logFormat },
  async run({ values, signal }) {
    const nodeIp = ipFlag('node-ip', values['node-ip']);
    const inTlsDir = (name: string): string => join(values['tls-dir'], name);
    // Loaded only now, so that other commands start fast.
    const { runAgent } = await import('./agent.ts');
    return await runAgent({
      parts: choiceFlag('parts', values.parts, agentParts),
      nodeName: values['node-name'] ?? hostname(),
      nodeIp,
      underlay: nodeIp === undefined ? {} : { publicIp: nodeIp },
      kubeconfigDir: values['kubeconfig-dir'],
      kubeconfig: values.kubeconfig,
      tlsFiles: { cert: inTlsDir('kubelet.crt'), key: inTlsDir('kubelet.key'), clientCa: inTlsDir('ca.crt') },
      runtimeEndpoint: values['runtime-endpoint'],
      rootDir: values['root-dir'],
      stateDir: values['state-dir'],
      runDir: values['run-dir'],
      podManifestPath: values['pod-manifest-path'] || undefined,
      cniConfDir: values['cni-conf-dir'],
      cniBinDir: values['cni-bin-dir'],
      clusterDns: ipFlag('cluster-dns', values['cluster-dns']),
      clusterDomain: values['cluster-domain'],
      clusterCidr: cidrFlag('cluster-cidr', values['cluster-cidr']),
      serviceCidr: cidrFlag('service-cidr', values['service-cidr']),
      resolvConf: values['resolv-conf'],
      taints: values['register-with-taints'],
      labels: values['node-labels'],
      vni: numberFlag('vxlan-vni', values['vxlan-vni'], 1, 0xff_ff_ff),
      vxlanPort: portFlag('vxlan-port', values['vxlan-port']),
      dnsHttp: {
        healthAddress: values['dns-health-address'],
        readyAddress: values['dns-ready-address'],
        metricsAddress: values['dns-metrics-address'],
      },
      dnsLameduckMs: 1000 * durationFlag('dns-lameduck', values['dns-lameduck'], 1, 3600),
      dnsMaxWatchAgeMs: 1000 * durationFlag('dns-max-watch-age', values['dns-max-watch-age'], 1, 86_400) || undefined,
      proxyConfig: values['proxy-config'],
      proxyHttp: { healthzAddress: '0.0.0.0:10256', metricsAddress: '127.0.0.1:10249' },
      masqueradePods: values['masquerade-pods'],
      log: processLog(values['log-level'], values['log-format']),
      signal,
    });
  },
});
