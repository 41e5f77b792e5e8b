/** The controllers of a cloud: nodes, routes and load balancers, by a provider. They see the API only, so they work with any API server. */
import { readFile } from 'node:fs/promises';
import { switchFlag, textFlag } from '../../cli/command.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { GaugeSource } from '../../observability/gauge.ts';
import type { FlagReader } from '../flag-reader.ts';
import { clusterCidr, kubeconfig } from './cluster-flags.ts';
import { definePart, type Part, type PartFlags } from './part.ts';
import { cloudControllerManagerFlags } from './upstream-flags.ts';

const flags = {
  ...cloudControllerManagerFlags,
  kubeconfig,
  'cloud-provider': {
    type: 'string',
    default: 'metal',
    choices: ['metal'],
    help: 'who has the machines: metal gives Services addresses out of pools of your own',
  },
  'cloud-config': textFlag(
    'FILE',
    "settings of the provider; for metal its address-pools, or MetalLB's IPAddressPools and L2Advertisements",
    '',
  ),
  'address-pools': textFlag('RANGE,…', 'addresses that Services of type LoadBalancer get, such as 192.0.2.200-192.0.2.220', ''),
  'address-pool-config-map': textFlag(
    'NAMESPACE/NAME',
    'a ConfigMap whose key "config" has more address-pools; it is followed while it changes',
    'kube-system/metal-address-pools',
  ),
  'load-balancer-class': textFlag('NAME', 'serve the Services of this class; without, those of none'),
  'cluster-name': textFlag('NAME', 'by which the cloud knows what belongs to the cluster', 'kubernetes'),
  'cluster-cidr': { ...textFlag('CIDR,…', 'ranges of the pods; routes outside of them are left alone', ''), among: clusterCidr },
  'configure-cloud-routes': switchFlag("make routes to the nodes' pods, where the provider has any", true),
  'route-reconciliation-period': textFlag('DURATION', 'between two looks at the routes', '10s'),
  'node-monitor-period': textFlag('DURATION', 'between two looks at whether the machine of a Node that is not Ready exists', '5s'),
  'node-status-update-frequency': textFlag('DURATION', 'between two looks at the addresses of a Node', '5m'),
  'use-service-account-credentials': {
    ...switchFlag(
      'let each controller act as its own ServiceAccount of kube-system, by tokens; the provider acts as the user of the kubeconfig',
    ),
    among: false,
  },
  controllers: {
    ...textFlag('LIST', 'which controllers run, by upstream\'s names; "*,-NAME" for all but one', '*'),
    among: { name: 'cloud-controllers' },
  },
} as const satisfies PartFlags;

/** The documents of --cloud-config. Throws BAD_CONFIG. */
async function cloudConfig(read: FlagReader<keyof typeof flags>): Promise<readonly unknown[]> {
  const path = read.optional('cloud-config');
  if (path === undefined) return [];
  const { documentsOf } = await import('../../cloud/metal/documents.ts');
  try {
    return documentsOf(await readFile(path, 'utf8'));
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read "${path}": ${messageOf(err)}`, {
      hint: 'Give a file of YAML, such as address-pools: []',
      cause: err,
    });
  }
}

export const cloudControllerManager: Part = definePart({
  name: 'cloud-controller-manager',
  flags,
  async config(read, setting) {
    const [{ partClient }, { cloudControllers }, { poolOfRanges }, { readDocuments }] = await Promise.all([
      import('./part-client.ts'),
      import('../../cloud/start.ts'),
      import('../../cloud/metal/pools.ts'),
      import('../../cloud/metal/metallb-objects.ts'),
    ]);
    const makesRoutes = read.isSet('configure-cloud-routes');
    const names = read
      .choice('controllers', Object.keys(cloudControllers))
      .filter((name) => makesRoutes || name !== 'node-route-controller');
    const provider = {
      config: await cloudConfig(read),
      addressPools: read.list('address-pools'),
      configMap: read.text('address-pool-config-map'),
    };
    // What is wrong with them is told now, and not when it leads.
    readDocuments(provider.config);
    poolOfRanges(provider.addressPools);
    return {
      names,
      providerName: read.text('cloud-provider'),
      provider,
      loadBalancerClass: read.optional('load-balancer-class'),
      clusterName: read.text('cluster-name'),
      clusterCidrs: read.cidrs('cluster-cidr'),
      routePeriodMs: 1000 * read.seconds('route-reconciliation-period', 1, 86_400),
      nodeMonitorPeriodMs: 1000 * read.seconds('node-monitor-period', 1, 86_400),
      nodeStatusPeriodMs: 1000 * read.seconds('node-status-update-frequency', 1, 86_400),
      ownAccounts: read.isSet('use-service-account-credentials'),
      client: await partClient('cloud-controller-manager', read, setting),
    };
  },
  async start({ names, providerName, provider, ownAccounts, ...config }, { informers: pool, clock, log, signal }) {
    const [{ startCloud }, { endClient }] = await Promise.all([import('../../cloud/start.ts'), import('./part-client.ts')]);
    const informers = pool.open(config.client, { clock, log, shares: 'all', signal });
    const accounts = ownAccounts ? new (await import('../../client/account-clients.ts')).AccountClients(config.client, clock) : undefined;
    const gauges = new Map<string, GaugeSource>();
    const context = { ...config, informers, clock, log, signal, gauges, ...(accounts ? { clientOf: accounts.of.bind(accounts) } : {}) };
    const cloud = startCloud(context, { names, providerName, provider });
    const running = Promise.all([informers.start(signal), cloud]);
    return { stopped: endClient(accounts ?? config.client, running, { clock, signal }), gauges: () => [...gauges.values()] };
  },
});
