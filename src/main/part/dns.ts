/** The cluster's DNS, served on this node. */
import { textFlag } from '../../cli/command.ts';
import { clusterCidr, clusterDomain, nodeNameOf, nodePartFlags, ownNodeIp, resolvConf, serviceCidr } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

export const dns: Part = definePart({
  name: 'dns',
  flags: {
    ...nodePartFlags,
    'bind-address': {
      ...textFlag('IP', "the node's address to answer at, port 53; of two the first", '0.0.0.0'),
      among: { name: 'node-ip' },
    },
    'cluster-domain': clusterDomain,
    'cluster-cidr': clusterCidr,
    'service-cidr': { ...serviceCidr, help: 'range of the Services; their reverse names are asked of nobody else', among: serviceCidr },
    'resolv-conf': resolvConf,
    'healthz-bind-address': {
      ...textFlag('HOST:PORT', '/health; empty for none', '127.0.0.1:8080'),
      among: { name: 'dns-health-address', default: '', help: 'where DNS serves /health' },
    },
    'ready-bind-address': {
      ...textFlag('HOST:PORT', '/ready; empty for none', '127.0.0.1:8181'),
      among: { name: 'dns-ready-address', default: '', help: 'where DNS serves /ready' },
    },
    'metrics-bind-address': {
      ...textFlag('HOST:PORT', '/metrics; empty for none', '127.0.0.1:9153'),
      among: { name: 'dns-metrics-address', default: '', help: 'where DNS serves /metrics' },
    },
    lameduck: { ...textFlag('DURATION', 'how long DNS goes on answering when it is told to stop', '5s'), among: { name: 'dns-lameduck' } },
    'max-watch-age': {
      ...textFlag('DURATION', '/ready says no when the API server was not heard for so long; 0 for never', '0s'),
      among: { name: 'dns-max-watch-age', help: '/ready of DNS says no when the API server was not heard for so long; 0 for never' },
    },
  },
  async config(read) {
    const { apiServerOf, nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const givenAddress = read.ownIps('bind-address')?.[0];
    const settings = {
      nodeName,
      zone: read.text('cluster-domain'),
      resolvConf: read.text('resolv-conf'),
      ranges: [...read.cidrs('cluster-cidr'), ...read.cidrs('service-cidr')],
      lameduckMs: 1000 * read.seconds('lameduck', 1, 3600),
      healthAddress: read.optional('healthz-bind-address'),
      readyAddress: read.optional('ready-bind-address'),
      metricsAddress: read.optional('metrics-bind-address'),
      maxWatchAgeMs: 1000 * read.seconds('max-watch-age', 1, 86_400) || undefined,
    };
    const client = await nodePartClient('dns', read, nodeName);
    return { ...settings, client, address: givenAddress ?? (await ownNodeIp(apiServerOf(client))) };
  },
  async start({ nodeName, resolvConf: file, ...config }, { informers: pool, clock, log, signal }) {
    const [{ startDns }, { hostResolvers }] = await Promise.all([import('../../dns/start.ts'), import('../../linux/host-resolvers.ts')]);
    const nameservers = hostResolvers(file);
    // The proxy reads the same Services and EndpointSlices.
    const informers = pool.open(config.client, { clock, log, shares: ['services', 'endpointslices'], signal });
    const running = await startDns({
      ...config,
      informers,
      port: 53,
      upstreams: () => nameservers().map((server) => ({ address: server, port: 53 })),
      publish: { namespace: 'kube-system', service: 'kube-dns', nodeName },
      clock,
      log,
      signal,
    });
    let isSynced = false;
    const ready = running.synced.then(() => {
      isSynced = true;
      return `DNS answers on ${config.address}:53`;
    });
    return {
      ready,
      stopped: Promise.all([running.stopped, informers.start(signal)]),
      health: () => (isSynced ? undefined : 'the names of the cluster are not known yet'),
    };
  },
});
