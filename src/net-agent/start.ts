/**
 * The agent of the pod network on one node. It reconciles: whatever happens (a Node changes, a link vanishes, time passes),
 * it reads the leases and the kernel, plans, and takes the steps that are missing. When it stops, everything stays, so that
 * pods keep talking.
 */
import { randomBytes } from 'node:crypto';
import { nodes } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { aborted, onAbort } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { type Cidr, familyOf, mustCidr } from '../ip/ip.ts';
import { type Exec, systemExec } from '../linux/exec.ts';
import { formatMac } from '../linux/netlink/attribute.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import { syncTable } from '../linux/nftables/sync-table.ts';
import type { Log } from '../observability/log.ts';
import { ensureForwardAccept } from './apply/forward-accept.ts';
import { concerns, LinuxNetworkKernel, watchedGroups } from './apply/network-kernel.ts';
import { Complaints } from './complaints.ts';
import { checkConfig, type NetworkConfig } from './config.ts';
import { changesNetwork, type Lease, leaseOf, nodePatch, podCidrOf, publicIpOverwrite, vtepMacOf } from './lease/lease.ts';
import { settlePeers } from './lease/peers.ts';
import { bridgeName, type DesiredNetwork, plan, vxlanName } from './plan/desired.ts';
import { diff } from './plan/diff.ts';
import { planRules, rulesTable } from './plan/rules.ts';
import { chooseUnderlay, type UnderlayWish } from './plan/underlay.ts';
import { renderSubnetEnv, writeSubnetEnv } from './subnet-env.ts';

/** What pods are attached to on this node. */
export interface PodNetwork {
  readonly podCidr: string;
  readonly gateway: string;
  readonly bridge: string;
  readonly mtu: number;
}

export type NodeSource = Pick<Informer<Node>, 'get' | 'list' | 'on' | 'synced'>;

export interface NetAgentOptions {
  readonly client: Pick<Client, 'patch'>;
  /** An InformerSet, of which only the Nodes are used. */
  readonly informers: { of(type: typeof nodes): NodeSource };
  readonly nodeName: string;
  readonly config: NetworkConfig;
  /** Where subnet.env goes: `/run/flannel`. */
  readonly runDir: string;
  /** How to find the node's link to the other nodes, when the Node's InternalIP is not it. */
  readonly underlay?: UnderlayWish;
  /** Host of the API server: how it is reached says which link it is while the Node has no address. */
  readonly apiServer?: string;
  /** Give what leaves the pod network the node's address. */
  readonly masquerade: boolean;
  /** Called when pods can be attached, and again whenever the network changed or its bridge was made anew. */
  readonly onNetwork?: (network: PodNetwork) => Promise<void> | void;
  readonly exec?: Exec;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface NetAgent {
  /** The first time that everything is in place. */
  readonly ready: Promise<void>;
  readonly isReady: boolean;
  /** Ends after the signal. */
  readonly stopped: Promise<void>;
}

/** Even without any notice everything is looked at this often: sysctls give none. */
const resyncMs = 5_000;
/** Changes come in swarms: deleting a link takes its routes and neighbours along. */
const settleMs = 20;
const retryMs = 1_000;
const forwardingMs = 60_000;

/** Throws BAD_CONFIG. */
export function startNetAgent(options: NetAgentOptions): NetAgent {
  return new Agent(options);
}

class Agent implements NetAgent {
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #options: NetAgentOptions;
  readonly #backend: ReturnType<typeof checkConfig>;
  readonly #netlink = new Rtnetlink();
  readonly #notices = new Rtnetlink();
  readonly #kernel = new LinuxNetworkKernel(this.#netlink);
  readonly #nft = new KernelNftables();
  readonly #rulesWatch: { close(): void };
  readonly #markReady: () => void;
  #isReady = false;
  #mac: string | undefined;
  #indexes: ReadonlySet<number> = new Set();
  #told = '';
  #waiting = '';
  #nextForwarding = 0;
  readonly #troubles: Complaints;
  readonly #refusals: Complaints;
  #wake: () => void = () => {};
  #woken = false;

  constructor(options: NetAgentOptions) {
    this.#options = options;
    this.#backend = checkConfig(options.config);
    this.#troubles = new Complaints(options.log);
    this.#refusals = new Complaints(options.log);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#markReady = resolve;
    const wake = (): void => this.#poke();
    options.informers.of(nodes).on({ add: wake, update: (node, old) => (changesNetwork(old, node) ? wake() : undefined), delete: wake });
    this.#notices.subscribe(watchedGroups, (notice) => (concerns(notice, this.#indexes) ? wake() : undefined));
    this.#notices.unref();
    this.#rulesWatch = this.#nft.watch(rulesTable, wake);
    this.stopped = this.#run();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  async #run(): Promise<void> {
    const { signal, clock, log, informers } = this.#options;
    using _ = onAbort(signal, () => this.#poke());
    try {
      await Promise.race([informers.of(nodes).synced, aborted(signal)]);
      while (!signal.aborted) {
        let wait = resyncMs;
        this.#woken = false;
        try {
          await this.#sync();
          this.#troubles.are(new Map());
        } catch (err) {
          this.#troubles.are(new Map([['sync', messageOf(err)]]));
          log.debug('Cannot set up the pod network', { err });
          wait = retryMs;
        }
        await this.#pause(wait);
        if (!signal.aborted) await clock.sleep(settleMs, signal).catch(() => {});
      }
    } finally {
      this.#netlink.close();
      this.#notices.close();
      this.#rulesWatch.close();
      this.#nft.close();
    }
  }

  /** Waits for a poke, but no longer than `ms`. */
  #pause(ms: number): Promise<void> {
    if (this.#woken || this.#options.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(ms, resolve);
      this.#wake = (): void => {
        timer.cancel();
        resolve();
      };
    });
  }

  #poke(): void {
    this.#woken = true;
    this.#wake();
  }

  async #sync(): Promise<void> {
    const { informers, nodeName, config, masquerade, runDir } = this.#options;
    const node = informers.of(nodes).get(nodeName);
    const podCidr = node && podCidrOf(node);
    if (!node || podCidr === undefined) {
      const waiting = node ? 'Waiting for the podCIDR of the Node' : `Waiting for Node "${nodeName}"`;
      if (waiting !== this.#waiting) this.#options.log.info(waiting);
      this.#waiting = waiting;
      return;
    }
    this.#waiting = '';
    const desired = await this.#desired(node, podCidr);
    await this.#apply(desired.network);
    const { underlayIp } = desired;
    const rules = planRules({ network: mustCidr(config.network).text, podCidr, masquerade, underlayIp, port: this.#backend.port });
    if (await syncTable(this.#nft, rules)) this.#options.log.debug('Wrote the rules of the pod network');
    await this.#openForwarding();
    await this.#tell(desired.network);
    const { mtu } = desired.network.links[0] ?? { mtu: 0 };
    writeSubnetEnv(runDir, renderSubnetEnv({ network: config.network, podCidr, mtu, masquerade }));
    await this.#patchNode(node, desired.lease);
    if (this.#isReady) return;
    this.#isReady = true;
    this.#markReady();
    this.#options.log.info('The pod network is up', { podCidr, mtu, publicIp: desired.lease.publicIp, vtepMac: desired.lease.vtepMac });
  }

  async #desired(
    node: Node,
    podCidr: string,
  ): Promise<{ readonly network: DesiredNetwork; readonly lease: Lease; readonly underlayIp: string }> {
    const { vni, port, mtu, directRouting } = this.#backend;
    const { underlay: wish = {}, apiServer } = this.#options;
    const machine = await this.#kernel.machine();
    const underlay = await chooseUnderlay(wish, node, apiServer, machine);
    if (!underlay) {
      const asked = Object.keys(wish).length > 0;
      throw new KnownError(
        'NETWORK_NOT_READY',
        `Cannot find the link to the other nodes: ${asked ? 'none is as it was asked for' : "no link has the Node's InternalIP, and there is no default route"}`,
        { hint: `The links have ${machine.addresses.map((a) => `${a.ip} (${a.name})`).join(', ') || 'no addresses'}; see --iface` },
      );
    }
    const network = mustCidr(this.#options.config.network);
    const range = mustCidr(podCidr);
    if (range.first < network.first || range.last > network.last) {
      throw new KnownError('BAD_CONFIG', `Cannot use podCIDR ${podCidr} of this Node: it is not inside ${network.text}`, {
        hint: "The controller manager's --cluster-cidr and the agent's must be the same",
      });
    }
    this.#mac ??= vtepMacOf(node) ?? (await this.#kernel.read()).links.find((l) => l.name === vxlanName(vni))?.mac ?? randomMac();
    const own: Lease = {
      node: this.#options.nodeName,
      podCidr: range.text,
      publicIp: publicIpOverwrite(node) ?? (wish.publicIp !== undefined && familyOf(wish.publicIp) === 4 ? wish.publicIp : underlay.ip),
      vni,
      vtepMac: this.#mac,
      since: node.metadata.creationTimestamp ?? '',
    };
    return {
      network: plan({ own, peers: this.#peers(own, network, machine.addresses), underlay, port, mtu, directRouting }),
      lease: own,
      underlayIp: underlay.ip,
    };
  }

  #peers(own: Lease, network: Cidr, ownAddresses: readonly { readonly ip: string }[]): readonly Lease[] {
    const candidates: Lease[] = [];
    const why = new Map<string, string>();
    const others = this.#options.informers
      .of(nodes)
      .list()
      .filter((node) => node.metadata.name !== own.node);
    for (const node of others) {
      const read = leaseOf(node, network, own.vni);
      if (read.kind === 'lease') candidates.push(read.lease);
      if (read.kind === 'refused') why.set(node.metadata.name ?? '', read.why);
    }
    const ownIps = ownAddresses.map((a) => a.ip);
    const { peers, refused } = settlePeers(own, ownIps, candidates);
    this.#refusals.are(new Map([...why, ...refused].map(([name, reason]) => [name, `Left out node "${name}": ${reason}`])));
    return peers;
  }

  async #apply(desired: DesiredNetwork): Promise<void> {
    const steps = diff(desired, await this.#kernel.read());
    if (steps.length > 0) {
      const what = Object.entries(Object.groupBy(steps, (s) => s.do)).map(([kind, list]) => `${list?.length} ${kind}`);
      this.#options.log.info(`Changing the pod network: ${what.join(', ')}`);
      // Pods' links must be put into a new bridge again, whatever goes wrong until it is told.
      if (steps.some((s) => s.do === 'add-link' && s.link.name === bridgeName)) this.#told = '';
      await this.#kernel.take(steps);
    }
    this.#kernel.setSysctls(desired.sysctls);
    const ours = new Set([
      ...desired.links.map((l) => l.name),
      ...desired.links.flatMap((l) => ('parent' in l.kind ? [l.kind.parent] : [])),
    ]);
    this.#indexes = new Set((await this.#netlink.links()).filter((l) => ours.has(l.name)).map((l) => l.index));
  }

  /** Starts a process, so not with every look. */
  async #openForwarding(): Promise<void> {
    const { clock, config, exec = systemExec, log } = this.#options;
    if (clock.monotonic() < this.#nextForwarding) return;
    if (await ensureForwardAccept(exec, mustCidr(config.network).text))
      log.info('Let pod packets through the FORWARD chain, which drops by policy');
    this.#nextForwarding = clock.monotonic() + forwardingMs;
  }

  async #tell(network: DesiredNetwork): Promise<void> {
    const bridge = network.links.find((l) => l.name === bridgeName);
    if (!bridge) return;
    const podNetwork: PodNetwork = {
      podCidr: mustCidr(`${bridge.address.ip}/${bridge.address.prefix}`).text,
      gateway: bridge.address.ip,
      bridge: bridge.name,
      mtu: bridge.mtu,
    };
    const text = JSON.stringify(podNetwork);
    if (text === this.#told) return;
    this.#told = '';
    await this.#options.onNetwork?.(podNetwork);
    this.#told = text;
  }

  async #patchNode(node: Node, lease: Lease): Promise<void> {
    const { client, clock, nodeName, signal } = this.#options;
    const patch = nodePatch(node, lease, timestamp(clock.now()));
    if (patch) await client.patch(nodes, nodeName, patch, { kind: 'strategic', subresource: 'status', signal });
  }
}

/** A random MAC that says so: local, not multicast. */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return formatMac(bytes);
}
