/**
 * What a lab consists of: names, addresses, paths. Pure; everything else in this folder makes it so, finds it again or takes it away.
 * Whatever a lab makes outside its state directory is named after the lab, so that it can be found without any record of it.
 */
import { join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { type Cidr, cidrOverlaps, joinHostPort, macOfIp, nthIp, parseCidr } from '../ip/ip.ts';
import { badOption, checkOptions, type LabOptions, partsLeftOut, type StoreName } from './lab-options.ts';

export const stateRoot = '/var/lib/fairlead';

export interface NodePlan {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly address: string;
  /** That one, and in a lab of both families one of the other. */
  readonly addresses: readonly string[];
  /** The same in every life of the node: neighbours remember it, and would send to a former one for seconds. */
  readonly mac: string;
  /** The node's end on the bridge. */
  readonly port: string;
  /** Everything of the node that lies on the disk. */
  readonly dir: string;
  /** Parts of `fairlead agent`, and on the control plane of `fairlead server`, that do not run here. */
  readonly without: readonly string[];
}

/** What a lab has of one family. */
export interface FamilyPlan {
  readonly underlay: Cidr;
  readonly pods: Cidr;
  readonly services: Cidr;
  /** Of the node by which this machine and the client reach pods and Services. */
  readonly gatewayAddress: string;
  readonly hostAddress: string;
  readonly clientAddress: string;
  readonly apiAddress: string;
  /** Addresses of the underlay that Services of type LoadBalancer get. */
  readonly balancerRange: string;
}

export interface LabPlan {
  readonly options: LabOptions;
  readonly dir: string;
  /** Shared by all labs of this machine: images, compiled code. */
  readonly cacheDir: string;
  readonly kubeconfig: string;
  readonly pkiDir: string;
  /** Where all clients reach the API: its server, or the balancer in front of several. */
  readonly server: string;
  readonly apiAddress: string;
  readonly store: StoreName;
  /** One, or both: the first is that of all who ask for none, whose ranges follow. */
  readonly families: readonly FamilyPlan[];
  readonly underlay: Cidr;
  readonly pods: Cidr;
  readonly services: Cidr;
  readonly kubernetesAddress: string;
  readonly dnsAddress: string;
  readonly nodes: readonly NodePlan[];
  readonly controlPlanes: readonly NodePlan[];
  /** The first of them. */
  readonly controlPlane: NodePlan;
  /** The node by which this machine and the client reach pods and Services. */
  readonly gateway: NodePlan;
  readonly hostAddress: string;
  readonly clientAddress: string;
  readonly relayAddress: string;
  /** The bind mount that keeps the network of the bridge. */
  readonly underlayNetns: string;
  readonly clientNetns: string;
  /** The host's end of its veth; at most 15 characters. */
  readonly hostLink: string;
  /** The name of the lab's directory in every cgroup hierarchy. */
  readonly cgroup: string;
  readonly nftTable: string;
}

/** The prefix lengths that a range may have, and what to give instead of one that is none. */
const limits = {
  underlay: { 4: [8, 25, '192.168.120.0/24'], 6: [8, 120, 'fd00:192:168:120::/64'] },
  'pod-cidr': { 4: [8, 20, '10.250.0.0/16'], 6: [48, 62, 'fd00:10:250::/56'] },
  'service-cidr': { 4: [8, 24, '10.250.0.0/16'], 6: [108, 120, 'fd00:10:250::/112'] },
} as const;

function ranges(option: keyof typeof limits, text: string): Cidr[] {
  const found = text.split(',').map((one) => {
    const cidr = parseCidr(one);
    const [least, most, example] = limits[option][cidr?.family ?? 4];
    if (!cidr) throw badOption(option, text, 'it is no range', `Give a range such as ${example}`);
    if (cidr.prefix > most || cidr.prefix < least)
      throw badOption(option, text, `a prefix of /${least} to /${most} is needed`, `Give a range such as ${example}`);
    return cidr;
  });
  if (new Set(found.map(({ family }) => family)).size < found.length)
    throw badOption(option, text, 'it is not one range, or one of each family', 'Give one of IPv4 and one of IPv6');
  return found;
}

/** The prefix length of a node's part of the range of pods. */
const nodePrefix = { 4: 24, 6: 64 } as const;

/** How to get at a cluster that this machine has no way into. */
export function detachedHint({ name }: LabOptions): string {
  return `This machine is not attached: instead of its own kubectl, use "fairlead lab exec control-plane --name ${name} -- kubectl …"`;
}

/** Whether a process takes connections for several API servers. */
export function isBalanced({ controlPlanes, options }: Pick<LabPlan, 'controlPlanes' | 'options'>): boolean {
  return controlPlanes.length > 1 && !options.bare;
}

type Ranges = Pick<FamilyPlan, 'underlay' | 'pods' | 'services'>;

/** The three ranges, of each family. Throws BAD_CONFIG and RANGE_OVERLAPS. */
function rangesOf(options: LabOptions): Ranges[] {
  const [underlays, pods, services] = [
    ranges('underlay', options.underlay),
    ranges('pod-cidr', options.podCidr),
    ranges('service-cidr', options.serviceCidr),
  ];
  const wanted = options.controlPlanes + options.workers;
  for (const { family, prefix } of pods) {
    const room = 2 ** (nodePrefix[family] - prefix);
    if (wanted > room)
      throw badOption('pod-cidr', options.podCidr, `it has room for ${room} nodes, and ${wanted} are wanted`, 'Give a larger range');
  }
  const familiesOf = (list: readonly Cidr[]): string => list.map(({ family }) => `IPv${family}`).join();
  if (new Set([underlays, pods, services].map(familiesOf)).size > 1)
    throw badOption(
      'pod-cidr',
      options.podCidr,
      `it is of ${familiesOf(pods)}, Services are of ${familiesOf(services)}, and nodes of ${familiesOf(underlays)}`,
      'Give --pod-cidr, --service-cidr and --underlay ranges of the same families in the same order, or leave some out',
    );
  return underlays.map((underlay, i) => apart({ underlay, pods: pods[i]!, services: services[i]! }));
}

function apart(one: Ranges): Ranges {
  const { underlay, pods, services } = one;
  for (const [a, b, names] of [
    [underlay, pods, '--underlay and --pod-cidr'],
    [underlay, services, '--underlay and --service-cidr'],
    [pods, services, '--pod-cidr and --service-cidr'],
  ] as const)
    if (cidrOverlaps(a, b))
      throw new KnownError('RANGE_OVERLAPS', `Cannot use ${names} together: "${a.text}" and "${b.text}" overlap`, {
        hint: 'Give ranges that have no address in common',
      });
  return one;
}

/** The control planes first: their addresses, which certificates name, then never depend on the number of workers. */
function nodesOf(options: LabOptions, families: readonly Ranges[], dir: string): NodePlan[] {
  const leftOut = partsLeftOut(options.without);
  return Array.from({ length: options.controlPlanes + options.workers }, (_, i): NodePlan => {
    const isServer = i < options.controlPlanes;
    const suffix = i === 0 ? '' : `-${i + 1}`;
    const name = isServer ? `control-plane${suffix}` : `worker-${i - options.controlPlanes + 1}`;
    const addresses = families.map(({ underlay }) => nthIp(underlay, 10 + i));
    const [address] = addresses as [string];
    return {
      name,
      role: isServer ? 'control-plane' : 'worker',
      address,
      addresses,
      mac: macOfIp(address),
      port: isServer ? `control${suffix}` : name,
      dir: join(dir, 'nodes', name),
      without: leftOut.filter(({ node }) => node === undefined || node === name).map(({ part }) => part),
    };
  });
}

/** The plan of a lab. Throws BAD_CONFIG and RANGE_OVERLAPS. */
export function planLab(options: LabOptions): LabPlan {
  checkOptions(options);
  const ranges = rangesOf(options);
  const dir = join(stateRoot, options.name);
  const nodes = nodesOf(options, ranges, dir);
  const controlPlanes = nodes.slice(0, options.controlPlanes);
  const [controlPlane] = controlPlanes as [NodePlan];
  const balanced = isBalanced({ controlPlanes, options });
  // Whoever tries the death of a control plane goes on asking the cluster.
  const gateway = (balanced ? nodes[controlPlanes.length] : undefined) ?? controlPlane;
  const families = ranges.map(
    (one, i): FamilyPlan => ({
      ...one,
      gatewayAddress: gateway.addresses[i]!,
      hostAddress: nthIp(one.underlay, 1),
      clientAddress: nthIp(one.underlay, 2),
      apiAddress: balanced ? nthIp(one.underlay, 9) : controlPlane.addresses[i]!,
      // Behind the last node there may be, before the relay.
      balancerRange: `${nthIp(one.underlay, 100)}-${nthIp(one.underlay, 120)}`,
    }),
  );
  const [{ underlay, pods, services, hostAddress, clientAddress, apiAddress }] = families as [FamilyPlan];
  return {
    options,
    families,
    underlay,
    pods,
    services,
    dir,
    cacheDir: join(stateRoot, '.cache'),
    kubeconfig: join(dir, 'kubeconfig'),
    pkiDir: join(dir, 'pki'),
    server: `https://${joinHostPort(apiAddress, 6443)}`,
    apiAddress,
    store: options.store ?? (controlPlanes.length > 1 ? 'etcd' : 'sqlite'),
    kubernetesAddress: nthIp(services, 1),
    dnsAddress: nthIp(services, 10),
    nodes,
    controlPlanes,
    controlPlane,
    gateway,
    hostAddress,
    clientAddress,
    relayAddress: nthIp(underlay, 126),
    underlayNetns: join(dir, 'netns', 'underlay'),
    clientNetns: join(dir, 'netns', 'client'),
    hostLink: `fl-${options.name}`,
    cgroup: `fairlead.${options.name}`,
    nftTable: `fairlead-${options.name}`,
  };
}
