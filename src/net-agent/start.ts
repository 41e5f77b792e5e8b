/**
 * The agent of the pod network on one node, over this machine's kernel. Whatever happens (a Node changes, a link vanishes, time passes)
 * leads to the same pass of the reconciler. When the agent stops, everything stays, so that pods keep talking.
 */
import { randomBytes } from 'node:crypto';
import { nodes } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { aborted } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { type Exec, systemExec } from '../linux/exec.ts';
import { KernelIptables } from '../linux/iptables/kernel-iptables.ts';
import { formatMac } from '../linux/netlink/attribute.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import type { Log } from '../observability/log.ts';
import type { BackendConfig } from './backend/backend.ts';
import { concerns, LinuxNetworkKernel, watchedGroups } from './kernel/network-kernel.ts';
import { PodRules } from './kernel/pod-rules.ts';
import { changesNetwork } from './lease/lease.ts';
import { type NetConf, openNetConf } from './net-conf.ts';
import { NetworkReconciler, type NetworkReconcilerOptions } from './network-reconciler.ts';
import { rulesTable } from './plan/rules.ts';
import { ReconcileLoop } from './reconcile-loop.ts';

export type NodeSource = Pick<Informer<Node>, 'list' | 'on' | 'synced'>;

export interface NetAgentOptions extends Omit<NetworkReconcilerOptions, 'networks' | 'backend'> {
  readonly client: Pick<Client, 'patch'>;
  /** An InformerSet, of which only the Nodes are used. */
  readonly informers: { of(type: typeof nodes): NodeSource };
  readonly config: NetConf;
  readonly exec?: Exec;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface NetAgent {
  /** Whether everything was in place once. */
  readonly isReady: boolean;
  /** Changes over to another backend, or to other settings of it; the ranges stay. Throws BAD_CONFIG, and goes on as before. */
  use(backend: BackendConfig): void;
  /** Ends after the signal. */
  readonly stopped: Promise<void>;
}

/** Throws BAD_CONFIG. */
export function startNetAgent(options: NetAgentOptions): NetAgent {
  const { client, informers, exec = systemExec, clock, log, signal } = options;
  const config = openNetConf(options.config);
  const netlink = new Rtnetlink();
  const notices = new Rtnetlink();
  const nft = new KernelNftables();
  const rules = new PodRules({ nft, openIptables: () => new KernelIptables('', exec), clock });
  const source = informers.of(nodes);
  const tools = { client, nodes: source, kernel: new LinuxNetworkKernel(netlink), rules, exec, randomMac, clock, log, signal };
  const reconciler = new NetworkReconciler({ ...options, ...config }, tools);
  const loop = new ReconcileLoop({ reconcile: () => reconciler.reconcile(), clock, log, signal });

  const poke = (): void => loop.poke();
  source.on({ add: poke, update: (node, old) => (changesNetwork(old, node) ? poke() : undefined), delete: poke });
  notices.subscribe(watchedGroups, (notice) => (concerns(notice, reconciler.watched) ? poke() : undefined));
  notices.unref();
  const rulesWatch = nft.watch(rulesTable, poke);

  const stopped = (async (): Promise<void> => {
    await Promise.race([source.synced, aborted(signal)]);
    await loop.run();
    for (const open of [netlink, notices, rulesWatch, rules, nft]) open.close();
  })();
  return {
    get isReady() {
      return reconciler.isReady;
    },
    use(Backend) {
      reconciler.use(openNetConf({ ...options.config, Backend }).backend);
      loop.poke();
    },
    stopped,
  };
}

/** A random MAC that says so: local, not multicast. */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return formatMac(bytes);
}
