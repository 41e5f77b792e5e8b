/** The service proxy: Services as rules of this node's kernel. */
import { readFile } from 'node:fs/promises';
import { aborted } from '../../clock/aborted.ts';
import { clusterCidr, nodeNameOf, nodePartFlags, serviceCidr } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

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
    'proxy-mode': { type: 'string', default: 'nftables', choices: ['nftables'], help: 'how Services become rules' },
    'bind-address': {
      type: 'string',
      default: '0.0.0.0',
      value: 'IP',
      help: "the node's address, where node ports are served; 0.0.0.0 for what its Node says",
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
      default: '0.0.0.0:10256',
      value: 'HOST:PORT',
      help: '/healthz and /livez; empty for none',
      among: { name: 'proxy-healthz-address', help: 'where the service proxy serves /healthz and /livez; empty for none' },
    },
    'metrics-bind-address': {
      type: 'string',
      default: '127.0.0.1:10249',
      value: 'HOST:PORT',
      help: '/metrics; empty for none',
      among: { name: 'proxy-metrics-address', help: 'where the service proxy serves /metrics; empty for none' },
    },
  },
  async config(read) {
    const { nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const nodeIp = read.ownIp('bind-address');
    const file = read.optional('config');
    const [healthzAddress, metricsAddress] = [read.optional('healthz-bind-address'), read.optional('metrics-bind-address')];
    return {
      nodeName,
      ...(nodeIp === undefined ? {} : { nodeIps: [nodeIp] }),
      mode: read.text('proxy-mode'),
      clusterCidrs: read.cidrs('cluster-cidr'),
      serviceCidrs: read.cidrs('service-cidr'),
      ...(healthzAddress === undefined ? {} : { healthzAddress }),
      ...(metricsAddress === undefined ? {} : { metricsAddress }),
      client: await nodePartClient('proxy', read, nodeName),
      ...(file === undefined ? {} : (await import('../../proxy/config.ts')).readProxyConfig(await readFile(file, 'utf8'))),
    };
  },
  async start(config, { informers: pool, clock, log, signal }) {
    const { startProxy } = await import('../../proxy/proxy.ts');
    // DNS reads the same Services and EndpointSlices.
    const informers = pool.open(config.client, { clock, log, shares: ['services', 'endpointslices'], signal });
    const running = await startProxy({ ...config, informers, clock, log, signal });
    const watching = informers.start(signal);
    return {
      ready: running.synced.then(() => 'Services are programmed'),
      stopped: aborted(signal).then(() => Promise.all([watching, running.close()])),
      health: () => running.problem,
    };
  },
});
