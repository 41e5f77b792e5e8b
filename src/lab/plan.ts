/**
 * What a lab consists of: names, addresses, paths. Pure; everything else in this folder makes it so, finds it again or takes it away.
 * Whatever a lab makes outside its state directory is named after the lab, so that it can be found without any record of it.
 */
import { join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { type Cidr, cidrOverlaps, macOfIp, nthIp, parseCidr } from '../ip/ip.ts';

export const storeNames = ['sqlite', 'etcd', 'redis'] as const;
export type StoreName = (typeof storeNames)[number];

export interface LabOptions {
  readonly name: string;
  readonly workers: number;
  /** Machines that run `fairlead server`: an odd number, so that a majority lives when one dies. */
  readonly controlPlanes: number;
  /** What keeps the cluster's objects; when nobody asked, a file for one control plane and etcd for several. */
  readonly store: StoreName | undefined;
  /** The network in which the nodes meet, at least a /25. */
  readonly underlay: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodePortRange: string;
  readonly clusterDomain: string;
  /** Whether the machine itself gets a link and routes into the lab. */
  readonly attach: boolean;
  /** Whether a network namespace wired as the host would be is made, for tests. */
  readonly client: boolean;
  readonly egress: 'none' | 'nat';
  /** Whether nodes reach the host's resolvers and registries through the relay. */
  readonly relay: boolean;
  /** What nodes may pull images from besides the world outside: private ranges, and hosts by name. */
  readonly relayAllow: string;
  /** A resolver to use in place of the host's, reached from inside the lab's own network. */
  readonly upstreamDns: string | undefined;
  /** Parts that somebody else brings, on all nodes or on one: `scheduler,worker-1/proxy`. */
  readonly without: string;
  /** How Services become rules, as `fairlead agent --proxy-mode` has it. */
  readonly proxyMode: string | undefined;
  /** A shell command that runs on the control plane in place of `fairlead server`: somebody else's API server. */
  readonly serverCommand: string | undefined;
  /** Nodes that run a container runtime and nothing else: machines for "fairlead init" and "fairlead join". */
  readonly bare: boolean;
}

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

export const stateRoot = '/var/lib/fairlead';
export const defaultLabName = 'lab';

export const defaultLabOptions: LabOptions = {
  name: defaultLabName,
  workers: 2,
  controlPlanes: 1,
  store: undefined,
  underlay: '192.168.120.0/24',
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  nodePortRange: '30000-32767',
  clusterDomain: 'cluster.local',
  attach: true,
  client: false,
  egress: 'none',
  relay: true,
  relayAllow: '',
  upstreamDns: undefined,
  without: '',
  proxyMode: undefined,
  serverCommand: undefined,
  bare: false,
};

function badOption(option: string, value: string | number, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use --${option}="${value}": ${why}`, { hint });
}

function range(option: string, text: string, maxPrefix: number): Cidr {
  const cidr = parseCidr(text);
  if (cidr?.family !== 4) throw badOption(option, text, 'it is no IPv4 range', 'Give a range such as 10.250.0.0/16');
  if (cidr.prefix > maxPrefix || cidr.prefix < 8)
    throw badOption(option, text, `a prefix of /8 to /${maxPrefix} is needed`, 'Give a range such as 10.250.0.0/16');
  return cidr;
}

export const serverParts: readonly string[] = ['controller-manager', 'scheduler', 'cloud-controller-manager'];
export const agentParts: readonly string[] = ['kubelet', 'net-agent', 'proxy', 'dns', 'speaker'];

function partsLeftOut(options: LabOptions): { readonly part: string; readonly node: string | undefined }[] {
  return options.without
    .split(',')
    .filter(Boolean)
    .map((word) => {
      const [part = '', node] = word.split('/').reverse();
      const known = node === undefined ? [...serverParts, ...agentParts] : agentParts;
      if (!known.includes(part)) throw badOption('without', word, 'there is no such part', `Leave out some of ${known.join(', ')}`);
      if (node !== undefined && !/^(control-plane(-[2-7])?|worker-[1-9]\d*)$/.test(node))
        throw badOption('without', word, `there is no node "${node}"`, 'Write it as worker-1/proxy');
      return { part, node };
    });
}

/** How to get at a cluster that this machine has no way into. */
export function detachedHint({ name }: LabOptions): string {
  return `This machine is not attached: instead of its own kubectl, use "fairlead lab exec control-plane --name ${name} -- kubectl …"`;
}

/** What a node leaves out of `fairlead agent`. */
export function withoutAgentParts(node: NodePlan): string[] {
  return node.without.filter((part) => agentParts.includes(part));
}

/** Whether a process takes connections for several API servers. */
export function isBalanced({ controlPlanes, options }: Pick<LabPlan, 'controlPlanes' | 'options'>): boolean {
  return controlPlanes.length > 1 && !options.bare;
}

/** What the control planes leave out of `fairlead server`. */
export function withoutServerParts(plan: LabPlan): string[] {
  return plan.controlPlane.without.filter((part) => serverParts.includes(part));
}

function checkNumbers({ name, workers, controlPlanes, store, bare }: LabOptions): void {
  // Names end up in link names (15 characters) and in DNS labels.
  if (!/^[a-z][a-z0-9-]{0,9}$/.test(name))
    throw badOption('name', name, 'it is no short lower-case name', 'Use up to 10 of a-z, 0-9 and -, beginning with a letter');
  if (!Number.isInteger(workers) || workers < 0 || workers > 50)
    throw badOption('workers', workers, 'it is no number from 0 to 50', 'A node takes about 250 MB of memory');
  if (!Number.isInteger(controlPlanes) || controlPlanes < 1 || controlPlanes > 7)
    throw badOption('control-planes', controlPlanes, 'it is no number from 1 to 7', 'Give 3: one of them may die');
  if (controlPlanes % 2 === 0)
    throw badOption(
      'control-planes',
      controlPlanes,
      'the store needs a majority of them, so an even number survives no more deaths than one less',
      `Give ${controlPlanes - 1} or ${controlPlanes + 1}`,
    );
  if (store === 'sqlite' && controlPlanes > 1)
    throw badOption('store', store, 'it is a file of one server, and there are several control planes', 'Give etcd or redis');
  if (store !== undefined && bare)
    throw badOption('store', store, 'the nodes of a bare lab run nothing but a container runtime', 'Leave out --bare or --store');
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
  const leftOut = partsLeftOut(options);
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
  checkNumbers(options);
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
