/** `fairlead kubelet`. */
import { type Command, defineCommand } from '../cli/command.ts';
import { agentOptions } from './agent-command.ts';
import { ipFlag } from './flag-values.ts';
import { ownIpFlag, partOptions, partSettings } from './part-command.ts';
import { logFormat, logLevel } from './process-log.ts';

export const kubeletCommand: Command = defineCommand({
  name: 'kubelet',
  summary: "run the kubelet alone; proxy, pod network and DNS are somebody else's",
  examples: ['fairlead kubelet --kubeconfig /etc/kubernetes/kubelet.conf --node-ip 192.0.2.11'],
  options: {
    ...partOptions,
    'node-ip': agentOptions['node-ip'],
    'container-runtime-endpoint': agentOptions['runtime-endpoint'],
    'root-dir': agentOptions['root-dir'],
    'pod-manifest-path': agentOptions['pod-manifest-path'],
    'cluster-dns': agentOptions['cluster-dns'],
    'cluster-domain': agentOptions['cluster-domain'],
    'resolv-conf': agentOptions['resolv-conf'],
    'register-with-taints': agentOptions['register-with-taints'],
    'node-labels': agentOptions['node-labels'],
    'client-ca-file': {
      type: 'string',
      default: '/etc/kubernetes/pki/ca.crt',
      value: 'FILE',
      help: 'who signs the certificates of clients, such as the API server',
    },
    'tls-cert-file': { type: 'string', value: 'FILE', help: 'certificate of port 10250 (default: one that it signs itself)' },
    'tls-private-key-file': { type: 'string', value: 'FILE', help: 'the key to it' },
    'log-level': logLevel,
    'log-format': logFormat,
  },
  async run({ values, signal }) {
    const settings = partSettings('kubelet', values, signal, {
      nodeIp: ownIpFlag('node-ip', values['node-ip']),
      runtimeEndpoint: values['container-runtime-endpoint'],
      rootDir: values['root-dir'],
      podManifestPath: values['pod-manifest-path'] || undefined,
      clusterDns: ipFlag('cluster-dns', values['cluster-dns']),
      clusterDomain: values['cluster-domain'],
      resolvConf: values['resolv-conf'],
      taints: values['register-with-taints'],
      labels: values['node-labels'],
      tlsFiles: { cert: values['tls-cert-file'], key: values['tls-private-key-file'], clientCa: values['client-ca-file'] },
    });
    const { runAgent } = await import('./agent.ts');
    return await runAgent(settings);
  },
});
