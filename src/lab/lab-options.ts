/** What somebody may ask of a lab, and what it is when nobody asks. Pure; `lab-flags.ts` reads them from a command line. */
import { KnownError } from '../errors/known-error.ts';

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

export function badOption(option: string, value: string | number, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use --${option}="${value}": ${why}`, { hint });
}

/** What can be said of the options one by one; the ranges are the plan's. Throws BAD_CONFIG. */
export function checkOptions({ name, workers, controlPlanes, store, bare }: LabOptions): void {
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

export const serverParts: readonly string[] = ['controller-manager', 'scheduler', 'cloud-controller-manager'];
export const agentParts: readonly string[] = ['kubelet', 'net-agent', 'proxy', 'dns', 'speaker'];

/** Reads `scheduler,worker-1/proxy`. Throws BAD_CONFIG. */
export function partsLeftOut(without: string): { readonly part: string; readonly node: string | undefined }[] {
  return without
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

interface Lacking {
  readonly without: readonly string[];
}

/** What a node leaves out of `fairlead agent`. */
export function withoutAgentParts({ without }: Lacking): string[] {
  return without.filter((part) => agentParts.includes(part));
}

/** What a control plane leaves out of `fairlead server`. */
export function withoutServerParts({ without }: Lacking): string[] {
  return without.filter((part) => serverParts.includes(part));
}
