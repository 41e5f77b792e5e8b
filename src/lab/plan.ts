/**
 * What a lab consists of: names, addresses, paths. Pure; everything else in this folder makes it so, finds it again or takes it away.
 * Whatever a lab makes outside its state directory is named after the lab, so that it can be found without any record of it.
 */
import { join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { type Cidr, cidrOverlaps, macOfIp, nthIp, parseCidr } from '../ip/ip.ts';
import { badOption, checkOptions, type LabOptions, partsLeftOut, type StoreName } from './lab-options.ts';

export const stateRoot = '/var/lib/fairlead';

export interface NodePlan {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly address: string;
  /** The same in every life of the node: neighbours remember it, and would send to a former one for seconds. */
  readonly mac: string;
  /** The node's end on the bridge. */
  readonly port: string;
  /** Everything of the node that lies on the disk. */
  readonly dir: string;
  /** Parts of `fairlead agent`, and on the control plane of `fairlead server`, that do not run here. */
  readonly without: readonly string[];
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
  readonly underlay: Cidr;
  readonly pods: Cidr;
  readonly services: Cidr;
  readonly kubernetesAddress: string;
  readonly dnsAddress: string;
  /** Addresses of the underlay that Services of type LoadBalancer get. */
  readonly balancerRange: string;
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

function range(option: string, text: string, maxPrefix: number): Cidr {
  const cidr = parseCidr(text);
  if (cidr?.family !== 4) throw badOption(option, text, 'it is no IPv4 range', 'Give a range such as 10.250.0.0/16');
  if (cidr.prefix > maxPrefix || cidr.prefix < 8)
    throw badOption(option, text, `a prefix of /8 to /${maxPrefix} is needed`, 'Give a range such as 10.250.0.0/16');
  return cidr;
}

/** How to get at a cluster that this machine has no way into. */
export function detachedHint({ name }: LabOptions): string {
  return `This machine is not attached: instead of its own kubectl, use "fairlead lab exec control-plane --name ${name} -- kubectl …"`;
}

/** Whether a process takes connections for several API servers. */
export function isBalanced({ controlPlanes, options }: Pick<LabPlan, 'controlPlanes' | 'options'>): boolean {
  return controlPlanes.length > 1 && !options.bare;
}

/** The three ranges. Throws BAD_CONFIG and RANGE_OVERLAPS. */
function rangesOf(options: LabOptions): Pick<LabPlan, 'underlay' | 'pods' | 'services'> {
  const underlay = range('underlay', options.underlay, 25);
  const pods = range('pod-cidr', options.podCidr, 20);
  // Each node gets a /24 of it.
  const room = 2 ** (24 - pods.prefix);
  const wanted = options.controlPlanes + options.workers;
  if (wanted > room)
    throw badOption('pod-cidr', options.podCidr, `it has room for ${room} nodes, and ${wanted} are wanted`, 'Give a larger range');
  const services = range('service-cidr', options.serviceCidr, 24);
  for (const [a, b, names] of [
    [underlay, pods, '--underlay and --pod-cidr'],
    [underlay, services, '--underlay and --service-cidr'],
    [pods, services, '--pod-cidr and --service-cidr'],
  ] as const)
    if (cidrOverlaps(a, b))
      throw new KnownError('RANGE_OVERLAPS', `Cannot use ${names} together: "${a.text}" and "${b.text}" overlap`, {
        hint: 'Give ranges that have no address in common',
      });
  return { underlay, pods, services };
}

/** The control planes first: their addresses, which certificates name, then never depend on the number of workers. */
function nodesOf(options: LabOptions, underlay: Cidr, dir: string): NodePlan[] {
  const leftOut = partsLeftOut(options.without);
  return Array.from({ length: options.controlPlanes + options.workers }, (_, i): NodePlan => {
    const isServer = i < options.controlPlanes;
    const suffix = i === 0 ? '' : `-${i + 1}`;
    const name = isServer ? `control-plane${suffix}` : `worker-${i - options.controlPlanes + 1}`;
    return {
      name,
      role: isServer ? 'control-plane' : 'worker',
      address: nthIp(underlay, 10 + i),
      mac: macOfIp(nthIp(underlay, 10 + i)),
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
  const { underlay, services } = ranges;
  const dir = join(stateRoot, options.name);
  const nodes = nodesOf(options, underlay, dir);
  const controlPlanes = nodes.slice(0, options.controlPlanes);
  const [controlPlane] = controlPlanes as [NodePlan];
  const balanced = isBalanced({ controlPlanes, options });
  const apiAddress = balanced ? nthIp(underlay, 9) : controlPlane.address;
  return {
    options,
    ...ranges,
    dir,
    cacheDir: join(stateRoot, '.cache'),
    kubeconfig: join(dir, 'kubeconfig'),
    pkiDir: join(dir, 'pki'),
    server: `https://${apiAddress}:6443`,
    apiAddress,
    store: options.store ?? (controlPlanes.length > 1 ? 'etcd' : 'sqlite'),
    kubernetesAddress: nthIp(services, 1),
    dnsAddress: nthIp(services, 10),
    // Behind the last node there may be, before the relay.
    balancerRange: `${nthIp(underlay, 100)}-${nthIp(underlay, 120)}`,
    nodes,
    controlPlanes,
    controlPlane,
    // Whoever tries the death of a control plane goes on asking the cluster.
    gateway: (balanced ? nodes[controlPlanes.length] : undefined) ?? controlPlane,
    hostAddress: nthIp(underlay, 1),
    clientAddress: nthIp(underlay, 2),
    relayAddress: nthIp(underlay, 126),
    underlayNetns: join(dir, 'netns', 'underlay'),
    clientNetns: join(dir, 'netns', 'client'),
    hostLink: `fl-${options.name}`,
    cgroup: `fairlead.${options.name}`,
    nftTable: `fairlead-${options.name}`,
  };
}
