/** `fairlead dns`. */
import { type Command, defineCommand } from '../cli/command.ts';
import { agentOptions } from './agent-command.ts';
import { cidrsFlag, durationFlag } from './flag-values.ts';
import { ownIpFlag, partOptions, partSettings } from './part-command.ts';
import { logFormat, logLevel } from './process-log.ts';

export const dnsCommand: Command = defineCommand({
  name: 'dns',
  summary: "run the cluster's DNS alone; it serves behind kube-dns while that Service has no selector",
  examples: [
    'fairlead manifest dns --group system:nodes | kubectl apply -f -',
    'fairlead dns --kubeconfig /etc/kubernetes/kubelet.conf --bind-address 192.0.2.11',
  ],
  options: {
    ...partOptions,
    'bind-address': { type: 'string', default: '0.0.0.0', value: 'IP', help: "the node's address to answer at, port 53" },
    'cluster-domain': agentOptions['cluster-domain'],
    'cluster-cidr': agentOptions['cluster-cidr'],
    'service-cidr': { ...agentOptions['service-cidr'], help: 'range of the Services; their reverse names are asked of nobody else' },
    'resolv-conf': agentOptions['resolv-conf'],
    'healthz-bind-address': { type: 'string', default: '127.0.0.1:8080', value: 'HOST:PORT', help: '/health; empty for none' },
    'ready-bind-address': { type: 'string', default: '127.0.0.1:8181', value: 'HOST:PORT', help: '/ready; empty for none' },
    'metrics-bind-address': { type: 'string', default: '127.0.0.1:9153', value: 'HOST:PORT', help: '/metrics; empty for none' },
    lameduck: agentOptions['dns-lameduck'],
    'max-watch-age': {
      type: 'string',
      default: '0s',
      value: 'DURATION',
      help: '/ready says no when the API server was not heard for so long; 0 for never',
    },
    'log-level': logLevel,
    'log-format': logFormat,
  },
  async run({ values, signal }) {
    const settings = partSettings('dns', values, signal, {
      nodeIp: ownIpFlag('bind-address', values['bind-address']),
      clusterDomain: values['cluster-domain'],
      clusterCidr: cidrsFlag('cluster-cidr', values['cluster-cidr']),
      serviceCidr: cidrsFlag('service-cidr', values['service-cidr']),
      resolvConf: values['resolv-conf'],
      dnsLameduckMs: 1000 * durationFlag('lameduck', values.lameduck, 1, 3600),
      dnsMaxWatchAgeMs: 1000 * durationFlag('max-watch-age', values['max-watch-age'], 1, 86_400) || undefined,
      dnsHttp: {
        healthAddress: values['healthz-bind-address'] || undefined,
        readyAddress: values['ready-bind-address'] || undefined,
        metricsAddress: values['metrics-bind-address'] || undefined,
      },
    });
    const { runAgent } = await import('./agent.ts');
    return await runAgent(settings);
  },
});
