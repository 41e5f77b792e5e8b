/** The controllers: they see the API only, so they work with any API server. */
import { readFile } from 'node:fs/promises';
import { switchFlag, textFlag } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Cidr, type Family, mustCidr } from '../../ip/ip.ts';
import type { GaugeSource } from '../../observability/gauge.ts';
import { choose, type FlagReader } from '../flag-reader.ts';
import { autoscalerFlags, autoscalerTimesOf } from './autoscaler-flags.ts';
import { clusterCidr, kubeconfig } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';
import { readSigning, signingFlags } from './signing-authority.ts';
import { controllerManagerFlags } from './upstream-flags.ts';

type SizeFlag = 'node-cidr-mask-size' | `node-cidr-mask-size-ipv${Family}`;

/** Upstream counts no more than 2^16 parts of a range of IPv6. Throws USAGE. */
function maskSizeOf({ family, prefix }: Cidr, read: FlagReader<SizeFlag>, families: number): number {
  const isGeneral = read.optional('node-cidr-mask-size') !== undefined;
  if (isGeneral && families > 1)
    throw new KnownError('USAGE', 'Cannot use --node-cidr-mask-size: --cluster-cidr has ranges of both families', {
      hint: 'Give --node-cidr-mask-size-ipv4 and --node-cidr-mask-size-ipv6',
    });
  const flag: SizeFlag = isGeneral ? 'node-cidr-mask-size' : `node-cidr-mask-size-ipv${family}`;
  return read.number(flag, prefix, family === 4 ? 30 : Math.min(126, prefix + 16));
}

export const controllerManager: Part = definePart({
  name: 'controller-manager',
  flags: {
    kubeconfig,
    'cluster-cidr': {
      ...textFlag(
        'CIDR[,CIDR]',
        'range of the pods, or one of each family, of which each Node gets a part; empty: Nodes bring their own',
        '',
      ),
      among: clusterCidr,
    },
    'node-cidr-mask-size': textFlag(
      'BITS',
      "prefix length of a node's part of the pods' range, where that is of one family (24, for IPv6 64)",
    ),
    'node-cidr-mask-size-ipv4': textFlag('BITS', 'that of IPv4', '24'),
    'node-cidr-mask-size-ipv6': textFlag('BITS', 'that of IPv6', '64'),
    'root-ca-file': textFlag('FILE', "what pods trust as the API server's authority (default: what the kubeconfig says)"),
    controllers: textFlag('LIST', 'which controllers run, by upstream\'s names; "*,-NAME" for all but one', '*'),
    'use-service-account-credentials': {
      ...switchFlag(
        'let each controller act as its own ServiceAccount of kube-system, by tokens; without, all act as the user of the kubeconfig',
      ),
      among: false,
    },
    'enable-dynamic-provisioning': {
      ...switchFlag('ask the provisioner of a StorageClass to make volumes for its claims', true),
      among: false,
    },
    'allocate-node-cidrs': { ...switchFlag('give each Node a part of --cluster-cidr', true), among: false },
    ...signingFlags,
    ...autoscalerFlags,
    ...controllerManagerFlags,
  },
  async config(read, setting) {
    const [{ partClient }, { controllers, disabledByDefault }, { todaysNames }] = await Promise.all([
      import('./part-client.ts'),
      import('../../controllers/start.ts'),
      import('../../controllers/upstream-names.ts'),
    ]);
    const allocates = read.given('allocate-node-cidrs') !== 'false';
    const ranges = allocates && read.optional('cluster-cidr') ? read.familyCidrs('cluster-cidr').map(mustCidr) : [];
    // Where the whole control plane is one process, nodes join it: kubeadm asks its controller manager for these, too.
    const onRequest = setting.parts.includes('apiserver') ? [] : disabledByDefault;
    const settings = {
      names: choose('controllers', todaysNames(read.text('controllers')), Object.keys(controllers), onRequest),
      ...(ranges.length > 0
        ? { podRanges: ranges.map((range) => ({ clusterCidr: range.text, maskSize: maskSizeOf(range, read, ranges.length) })) }
        : {}),
      autoscalerTimes: autoscalerTimesOf(read),
      ...(read.given('enable-dynamic-provisioning') === 'false' ? { provisioning: false } : {}),
    };
    const signing = await readSigning(read);
    const client = await partClient('controller-manager', read, setting);
    const rootCaFile = read.optional('root-ca-file');
    const rootCa = rootCaFile === undefined ? (client.transport.config.ca ?? '') : await readFile(rootCaFile, 'utf8');
    const ownAccounts = read.isSet('use-service-account-credentials');
    return { ...settings, ...(signing ? { signing } : {}), ...(ownAccounts ? { ownAccounts } : {}), client, rootCa };
  },
  async start({ names, ownAccounts, ...config }, { informers: pool, clock, log, signal }) {
    const { startControllers } = await import('../../controllers/start.ts');
    const { endClient } = await import('./part-client.ts');
    const accounts = ownAccounts ? new (await import('../../client/account-clients.ts')).AccountClients(config.client, clock) : undefined;
    // One copy of the cluster serves controllers and scheduler; each writes under its own name.
    const informers = pool.open(config.client, { clock, log: log.child({ part: 'informers' }), shares: 'all', signal });
    const gauges = new Map<string, GaugeSource>();
    const context = { ...config, informers, clock, log, signal, gauges, ...(accounts ? { clientOf: accounts.of.bind(accounts) } : {}) };
    const running = Promise.all([informers.start(signal), startControllers(context, names)]);
    return { stopped: endClient(accounts ?? config.client, running, { clock, signal }), gauges: () => [...gauges.values()] };
  },
});
