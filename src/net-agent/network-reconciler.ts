/** One pass of the agent: reads leases and kernel, plans, takes the steps that are missing, and tells Node and runtime. */
import { nodes } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { Clock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { KnownError } from '../errors/known-error.ts';
import { type Cidr, type Family, familyOf, mustCidr } from '../ip/ip.ts';
import type { Exec } from '../linux/exec.ts';
import type { Log } from '../observability/log.ts';
import type { Backend } from './backend/backend.ts';
import { Complaints } from './complaints.ts';
import { ensureForwardAccept } from './kernel/forward-accept.ts';
import type { NetworkKernel } from './kernel/network-kernel.ts';
import type { PodRules } from './kernel/pod-rules.ts';
import { backendDataOf, nodePatch, podCidrOf, publicIpOverwrite, type SubnetLease } from './lease/lease.ts';
import { type OwnSide, readPeers } from './lease/peers.ts';
import { diff, leftLinks } from './plan/diff.ts';
import type { DesiredLink, DesiredNetwork, KernelLink, KernelState, Underlay } from './plan/network.ts';
import { bridgeName, plan } from './plan/plan.ts';
import { chooseUnderlay, type NodeAddresses, type UnderlayWish } from './plan/underlay.ts';
import { renderSubnetEnv, writeSubnetEnv } from './subnet-env.ts';

/** What pods are attached to on this node. */
export interface PodNetwork extends PodRange {
  /** Of the other family. */
  readonly second?: PodRange;
  readonly bridge: string;
  readonly mtu: number;
}

interface PodRange {
  readonly podCidr: string;
  readonly gateway: string;
}

/** What is known of one family before anything is read. */
interface SideBasis {
  readonly network: Cidr;
  readonly podCidr: string;
  readonly backend: Backend;
}

/** What a pass finds out about one family. */
interface Side extends Omit<SideBasis, 'backend'> {
  readonly own: OwnSide;
  readonly desired: DesiredNetwork;
  /** Whether nodes of another backend are there. */
  readonly isMixed: boolean;
}

export interface NetworkReconcilerOptions {
  readonly nodeName: string;
  /** The range of all pods, or one of each family. */
  readonly networks: readonly Cidr[];
  /** At first. */
  readonly backend: Backend;
  /** How to find the node's link to the other nodes, when the Node's InternalIP is not it. */
  readonly underlay?: UnderlayWish;
  /** Host of the API server: how it is reached says which link it is while the Node has no address. */
  readonly apiServer?: string;
  /** Give what leaves the pod network the node's address. */
  readonly masquerade: boolean;
  /** Where subnet.env goes: `/run/flannel`. */
  readonly runDir: string;
  /** Called when pods can be attached, and again whenever the network changed or its bridge was made anew. */
  readonly onNetwork?: (network: PodNetwork) => Promise<void> | void;
}

/** All that a pass touches. */
export interface NetworkReconcilerTools {
  readonly client: Pick<Client, 'patch'>;
  readonly nodes: { list(): readonly Node[] };
  readonly kernel: NetworkKernel;
  readonly rules: Pick<PodRules, 'sync'>;
  readonly exec: Exec;
  readonly randomMac: () => string;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const forwardingMs = 60_000;

export class NetworkReconciler {
  readonly #options: NetworkReconcilerOptions;
  readonly #tools: NetworkReconcilerTools;
  readonly #refusals: Complaints;
  /** The backend's data as this node told it last, for each family. */
  readonly #data = new Map<Family, unknown>();
  #backend: Backend;
  #told = '';
  #waiting = '';
  #nextForwarding = Number.NEGATIVE_INFINITY;
  #isReady = false;
  #watched: ReadonlySet<number> = new Set();

  constructor(options: NetworkReconcilerOptions, tools: NetworkReconcilerTools) {
    this.#options = options;
    this.#tools = tools;
    this.#refusals = new Complaints(tools.log);
    this.#backend = options.backend;
  }

  /** The next pass changes over to it. Other nodes may do so before or after this one. */
  use(backend: Backend): void {
    this.#backend = backend;
  }

  /** Whether everything was in place once. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Indexes of the links whose changes matter. */
  get watched(): ReadonlySet<number> {
    return this.#watched;
  }

  /** Throws what keeps the network from being complete; it is tried again from the beginning. */
  async reconcile(): Promise<void> {
    const { log } = this.#tools;
    const { nodeName, networks } = this.#options;
    // Another may be taken into use while the pass waits for the kernel.
    const backend = this.#backend;
    const all = this.#tools.nodes.list();
    const node = all.find((n) => n.metadata.name === nodeName);
    const ranges = networks.flatMap((network) => {
      const podCidr = node && podCidrOf(node, network.family);
      return podCidr === undefined ? [] : [{ network, podCidr, backend }];
    });
    if (!node || ranges.length < networks.length) {
      this.#wait(node ? 'Waiting for the podCIDR of the Node' : `Waiting for Node "${nodeName}"`);
      return;
    }
    this.#waiting = '';
    const state = await this.#tools.kernel.read();
    const sides: Side[] = [];
    const refusals = new Map<string, string>();
    for (const range of ranges) sides.push(await this.#side(node, all, range, state.links, refusals));
    this.#refusals.are(refusals);
    const wanted = withOneBridge(inOrderOf(node, sides));
    // What was done for one family may be a step of the next, as the bridge.
    for (const [i, { desired }] of wanted.entries()) await this.#takeSteps(desired, i === 0 ? state : await this.#tools.kernel.read());
    if (!sides.some(({ isMixed }) => isMixed)) await this.#dropLeft(wanted, state);
    await this.#watch(wanted);
    const mtu = await this.#bringAbout(wanted);
    await this.#patchNode(node, wanted);
    if (!this.#isReady)
      for (const { podCidr, own } of wanted)
        log.info('The pod network is up', { podCidr, mtu, publicIp: own.lease.publicIp, ...Object(own.lease.data) });
    this.#isReady = true;
  }

  /** What one family's part should be. Adds whom it leaves out. */
  async #side(
    node: Node,
    all: readonly Node[],
    { network, podCidr, backend }: SideBasis,
    links: readonly KernelLink[],
    refusals: Map<string, string>,
  ): Promise<Side> {
    const { family } = network;
    const own = await this.#own(node, { network, podCidr, backend }, links, refusals);
    const { peers, foreign, refused } = readPeers(all, network, backend, own);
    for (const [name, why] of refused) refusals.set(`${name} ${family}`, `Left out node "${name}": ${why}`);
    const isMixed = foreign.length > 0;
    if (isMixed) refusals.set(` ${family}`, `Some nodes have another backend than ${own.lease.type}: plain routes lead to them`);
    const desired = plan(backend, { own: own.lease, peers, underlay: own.underlay }, foreign);
    return { network, podCidr, own, desired, isMixed };
  }

  /** Takes away the devices of a backend that was before: no node sends by them any more. */
  async #dropLeft(sides: readonly Side[], { links }: KernelState): Promise<void> {
    const { kernel, log } = this.#tools;
    const steps = leftLinks(links, new Set(sides.flatMap(({ desired }) => desired.links.map(({ name }) => name))));
    if (steps.length === 0) return;
    log.info(`Taking away what another backend left: ${steps.map(({ name }) => name).join(', ')}`);
    await kernel.take(steps);
  }

  #wait(what: string): void {
    if (what !== this.#waiting) this.#tools.log.info(what);
    this.#waiting = what;
  }

  /** This node as the others shall see it. */
  async #own(
    node: Node,
    { network, podCidr, backend }: SideBasis,
    links: readonly KernelLink[],
    refusals: Map<string, string>,
  ): Promise<OwnSide> {
    const { kernel, randomMac } = this.#tools;
    const { nodeName, underlay: wish = {}, apiServer } = this.#options;
    const { family } = network;
    const ours = await kernel.nodeAddresses(family);
    const underlay = (await chooseUnderlay(wish, node, apiServer, ours)) ?? noUnderlay(wish, ours, family);
    const range = rangeInside(podCidr, network);
    const wished = [wish.publicIp, wish.publicIpv6].find((ip) => ip !== undefined && familyOf(ip) === family);
    const outer = publicIpOverwrite(node, family) ?? wished ?? underlay.ip;
    const publicIp = backend.needsLinkAddress ? underlay.ip : outer;
    if (publicIp !== outer)
      refusals.set(
        ` ${family} public-ip`,
        `Tell other nodes ${publicIp} of link "${underlay.name}" in place of ${outer}, as ${backend.type} needs: only nodes on that link get here, others by "vxlan"`,
      );
    const told = this.#data.get(family) ?? backendDataOf(node, family);
    const data = backend.leaseData({ family, told, links, publicIp, underlay, randomMac });
    this.#data.set(family, data);
    const since = node.metadata.creationTimestamp ?? '';
    const lease: SubnetLease = { node: nodeName, podCidr: range.text, publicIp, type: backend.type, data, since };
    return { lease, ips: ours.addresses.map((a) => a.ip), underlay };
  }

  /** Makes rules and files so, and tells who attaches pods. Gives the pods' MTU. */
  async #bringAbout(sides: readonly Side[]): Promise<number> {
    const { rules, log } = this.#tools;
    const { masquerade, runDir } = this.#options;
    for (const { network, podCidr, desired } of sides)
      if (await rules.sync({ network, podCidr, masquerade, chains: desired.chains })) log.debug('Wrote the rules of the pod network');
    await this.#openForwarding();
    const podNetwork = podNetworkOf(sides.map(({ desired }) => desired));
    await this.#tell(podNetwork);
    const { mtu } = podNetwork;
    writeSubnetEnv(
      runDir,
      renderSubnetEnv({ ranges: sides.map(({ network, podCidr }) => ({ network: network.text, podCidr })), mtu, masquerade }),
    );
    return mtu;
  }

  async #takeSteps(desired: DesiredNetwork, state: KernelState): Promise<void> {
    const { kernel, log } = this.#tools;
    const steps = diff(desired, state);
    if (steps.length > 0) {
      const what = Object.entries(Object.groupBy(steps, (s) => s.do)).map(([kind, list]) => `${list?.length} ${kind}`);
      log.info(`Changing the pod network: ${what.join(', ')}`);
      // Pods' links must be put into a new bridge again, whatever goes wrong until it is told.
      if (steps.some((s) => s.do === 'add-link' && s.link.name === bridgeName)) this.#told = '';
      await kernel.take(steps);
    }
    await kernel.setSysctls(desired.sysctls);
  }

  async #watch(sides: readonly Side[]): Promise<void> {
    const names = sides.flatMap(({ own, desired }) => [own.underlay.name, ...desired.links.map((l) => l.name)]);
    this.#watched = await this.#tools.kernel.indexes(new Set(names));
  }

  /** Starts a process, so not with every pass. */
  async #openForwarding(): Promise<void> {
    const { clock, exec, log } = this.#tools;
    if (clock.monotonic() < this.#nextForwarding) return;
    for (const { text } of this.#options.networks)
      if (await ensureForwardAccept(exec, text)) log.info('Let pod packets through the FORWARD chain, which drops by policy');
    this.#nextForwarding = clock.monotonic() + forwardingMs;
  }

  async #tell(network: PodNetwork): Promise<void> {
    const text = JSON.stringify(network);
    if (text === this.#told) return;
    this.#told = '';
    await this.#options.onNetwork?.(network);
    this.#told = text;
  }

  async #patchNode(node: Node, sides: readonly Side[]): Promise<void> {
    const { client, clock, signal } = this.#tools;
    const leases = sides.map(({ own }) => own.lease);
    const patch = nodePatch(node, leases, timestamp(clock.now()));
    if (patch) await client.patch(nodes, this.#options.nodeName, patch, { kind: 'strategic', subresource: 'status', signal });
  }
}

function noUnderlay(wish: UnderlayWish, { addresses }: NodeAddresses, family: Family): Underlay {
  const why =
    Object.keys(wish).length > 0 ? 'none is as it was asked for' : "no link has the Node's InternalIP, and there is no default route";
  throw new KnownError('NETWORK_NOT_READY', `Cannot find the link to the other nodes: ${why}`, {
    hint: `The links have ${addresses.map((a) => `${a.ip} (${a.name})`).join(', ') || `no addresses of IPv${family}`}; see --iface`,
  });
}

/** The family of the Node's first range is the pods' first. */
function inOrderOf(node: Node, sides: readonly Side[]): readonly Side[] {
  const isFirst = ({ podCidr }: Side): boolean => mustCidr(node.spec?.podCIDR ?? podCidr).text === podCidr;
  return sides.toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
}

/** Both families share the bridge: it has the MAC of the first, and no packet is larger than both ways can carry. */
function withOneBridge(sides: readonly Side[]): readonly Side[] {
  const bridges = sides.map(({ desired }) => bridgeOf(desired));
  const [first] = bridges;
  if (bridges.length < 2 || !first) return sides;
  const shared = { mac: first.mac, mtu: Math.min(...bridges.map(({ mtu }) => mtu)) };
  return sides.map((side) => ({
    ...side,
    desired: { ...side.desired, links: side.desired.links.map((link) => (link.name === bridgeName ? { ...link, ...shared } : link)) },
  }));
}

function rangeInside(podCidr: string, network: Cidr): Cidr {
  const range = mustCidr(podCidr);
  if (range.first >= network.first && range.last <= network.last) return range;
  throw new KnownError('BAD_CONFIG', `Cannot use podCIDR ${podCidr} of this Node: it is not inside ${network.text}`, {
    hint: "The controller manager's --cluster-cidr and the agent's must be the same",
  });
}

function podNetworkOf(wanted: readonly DesiredNetwork[]): PodNetwork {
  const [first, second] = wanted.map(bridgeOf);
  const rangeOf = ({ address: { ip, prefix } }: DesiredLink): PodRange => ({ podCidr: mustCidr(`${ip}/${prefix}`).text, gateway: ip });
  const { name, mtu } = first!;
  return { ...rangeOf(first!), ...(second ? { second: rangeOf(second) } : {}), bridge: name, mtu };
}

function bridgeOf({ links }: DesiredNetwork): DesiredLink {
  const bridge = links.find((l) => l.name === bridgeName);
  if (!bridge) throw new Error(`a plan without ${bridgeName}`);
  return bridge;
}
