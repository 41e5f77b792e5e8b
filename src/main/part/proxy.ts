/** The service proxy: Services as rules of this node's kernel. */
import { textFlag } from '../../cli/command.ts';
import { FlagReader } from '../flag-reader.ts';
import { clusterCidr, nodePartFlags, serviceCidr } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';
import { kubeProxyFlags } from './proxy-flags.ts';

export const proxy: Part = definePart({
  name: 'proxy',
  flags: {
    ...nodePartFlags,
    config: {
      type: 'string',
      value: 'FILE',
      help: 'a KubeProxyConfiguration; what it says overrides the other flags',
      among: { name: 'proxy-config', help: 'settings of the service proxy: a KubeProxyConfiguration' },
    },
    master: { ...textFlag('URL', 'the API server, whatever the kubeconfig says'), among: false },
    'proxy-mode': {
      type: 'string',
      choices: ['nftables', 'iptables', 'ipvs', 'userspace'],
      help: 'how Services become rules (default nftables)',
    },
    'ipvs-scheduler': textFlag(
      'NAME',
      'how connections are spread, such as rr, lc or sh; a Service may ask for another (default: as the mode does)',
    ),
    'bind-address': {
      type: 'string',
      default: '0.0.0.0',
      value: 'IP[,IP]',
      help: "the node's address, where node ports are served, or one of each family; 0.0.0.0 for what its Node says",
      among: { name: 'node-ip' },
    },
    'cluster-cidr': {
      type: 'string',
      default: '',
      value: 'CIDR',
      help: 'range of the pods; what comes from elsewhere is masqueraded',
      among: clusterCidr,
    },
    'service-cidr': { ...serviceCidr, default: '', among: serviceCidr },
    'healthz-bind-address': {
      type: 'string',
      value: 'HOST:PORT',
      help: '/healthz and /livez; empty for none (default 0.0.0.0:10256)',
      among: {
        name: 'proxy-healthz-address',
        help: 'where the service proxy serves /healthz and /livez; empty for none (default 0.0.0.0:10256)',
      },
    },
    'metrics-bind-address': {
      type: 'string',
      value: 'HOST:PORT',
      help: '/metrics; empty for none (default 127.0.0.1:10249)',
      among: { name: 'proxy-metrics-address', help: 'where the service proxy serves /metrics; empty for none (default 127.0.0.1:10249)' },
    },
    ...kubeProxyFlags,
  },
  async config(read, setting) {
    const [{ nodePartClient }, { nodeNameIn, readConfiguration }] = await Promise.all([
      import('./part-client.ts'),
      import('./proxy-configuration.ts'),
    ]);
    const { configuration, file, given } = await readConfiguration(read as unknown as FlagReader);
    const nodeName = nodeNameIn(configuration);
    const kubeconfig = read.optional('kubeconfig') ?? configuration.clientConnection.kubeconfig;
    const [client, serviceCidrs] = [
      await nodePartClient('proxy', new FlagReader({ kubeconfig }), nodeName, read.optional('master')),
      read.cidrs('service-cidr'),
    ];
    return { configuration, given, client, nodeName, serviceCidrs, isAlone: setting.parts.length === 1, ...(file ? { file } : {}) };
  },
  async start(config, context) {
    const { runProxy } = await import('./run-proxy.ts');
    return await runProxy(config, context);
  },
});
