/** `fairlead proxy`. */
import { type Command, defineCommand } from '../cli/command.ts';
import { agentOptions } from './agent-command.ts';
import { cidrsFlag } from './flag-values.ts';
import { ownIpFlag, partOptions, partSettings } from './part-command.ts';
import { logFormat, logLevel } from './process-log.ts';

export const proxyCommand: Command = defineCommand({
  name: 'proxy',
  summary: 'run the service proxy alone, in place of a kube-proxy',
  examples: [
    'fairlead manifest proxy --group system:nodes | kubectl apply -f -',
    'fairlead proxy --kubeconfig /etc/kubernetes/kubelet.conf --cluster-cidr 10.244.0.0/16',
    'fairlead proxy --kubeconfig /var/lib/kube-proxy/kubeconfig.conf --config /var/lib/kube-proxy/config.conf',
    'fairlead proxy --cleanup # needs no API server',
  ],
  options: {
    ...partOptions,
    config: { type: 'string', value: 'FILE', help: 'a KubeProxyConfiguration; what it says overrides the other flags' },
    'proxy-mode': { type: 'string', default: 'nftables', choices: ['nftables'], help: 'how Services become rules' },
    'bind-address': {
      type: 'string',
      default: '0.0.0.0',
      value: 'IP',
      help: "the node's address, where node ports are served; 0.0.0.0 for what its Node says",
    },
    'cluster-cidr': { type: 'string', default: '', value: 'CIDR', help: 'range of the pods; what comes from elsewhere is masqueraded' },
    'service-cidr': { type: 'string', default: '', value: 'CIDR', help: agentOptions['service-cidr'].help },
    'healthz-bind-address': { type: 'string', default: '0.0.0.0:10256', value: 'HOST:PORT', help: '/healthz and /livez; empty for none' },
    'metrics-bind-address': { type: 'string', default: '127.0.0.1:10249', value: 'HOST:PORT', help: '/metrics; empty for none' },
    cleanup: { type: 'boolean', default: false, help: 'take away the rules that a proxy left behind, and end' },
    'log-level': logLevel,
    'log-format': logFormat,
  },
  async run({ values, signal }) {
    if (values.cleanup) {
      const { cleanUpProxy } = await import('../proxy/proxy.ts');
      await cleanUpProxy();
      return 0;
    }
    const settings = partSettings('proxy', values, signal, {
      nodeIp: ownIpFlag('bind-address', values['bind-address']),
      clusterCidr: cidrsFlag('cluster-cidr', values['cluster-cidr']),
      serviceCidr: cidrsFlag('service-cidr', values['service-cidr']),
      proxyConfig: values.config,
      proxyHttp: {
        healthzAddress: values['healthz-bind-address'] || undefined,
        metricsAddress: values['metrics-bind-address'] || undefined,
      },
    });
    const { runAgent } = await import('./agent.ts');
    return await runAgent(settings);
  },
});
