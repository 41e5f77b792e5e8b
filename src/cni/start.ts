/** Puts the plugin together and serves it. Composition: the net-agent says what the network is, through `setNetwork`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { lockDirectory } from '../linux/lock.ts';
import { Conntrack } from '../linux/netlink/conntrack.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { IPPROTO } from '../linux/netlink/tracked-flow.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import type { Log } from '../observability/log.ts';
import type { PodNetwork } from './attachment.ts';
import { type InstallOptions, installConflist, installPlugins } from './install.ts';
import { Ipam } from './ipam/ipam.ts';
import { actOnNotes } from './notes.ts';
import { servePipes } from './pipe-server.ts';
import { CniPlugin } from './plugin.ts';
import { listenForCalls } from './server.ts';
import { NodeWatch } from './watch.ts';
import { type ForgetUdp, NftHostPorts } from './wiring/host-ports.ts';
import { KernelPredecessor } from './wiring/predecessor.ts';
import { KernelWiring } from './wiring/wiring.ts';

export interface CniServerOptions {
  /** Where the executable finds this server: `/run/fairlead/cni.sock`. */
  readonly socket: string;
  /** Must survive a reboot, and belongs to this process alone: `/var/lib/fairlead/cni`. */
  readonly stateDir: string;
  /** `/etc/cni/net.d` */
  readonly confDir: string;
  /** `/opt/cni/bin` */
  readonly binDir: string;
  /** Where host-local keeps the addresses of pods of a plugin that this one replaces; default `/var/lib/cni/networks`. */
  readonly hostLocalDir?: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface CniServer {
  /** Attaches pods to this network from now on, and tells the runtime that it may. May be called again when it changed. */
  setNetwork(network: PodNetwork): Promise<void>;
  /** Ends when the signal has been given and the last call is answered. */
  readonly stopped: Promise<void>;
}

/** How often everything is looked at, whatever was heard. */
const tidyMs = 10_000;

/** Pods stay attached when it stops. Throws STATE_IN_USE. */
export async function startCniServer(options: CniServerOptions): Promise<CniServer> {
  const { log, clock, signal } = options;
  const install = installOptions(options);
  const { plugin, hostPorts, ipam, close } = await openParts(options);
  const keeper = new Keeper({ plugin, hostPorts, install, log });
  const adopted = await plugin.adopt();
  if (adopted > 0) log.warn(`Found ${adopted} pod links that the address journal did not know`);
  await hostPorts.reset(ipam.all());
  await keeper.tidy();
  const server = await listenForCalls(options.socket, (call) => plugin.call(call));
  const pipes = servePipes(install.pipesDir, (call) => plugin.call(call), log);
  installPlugins(install);
  const watch = new NodeWatch([install.binDir, install.confDir], clock, () => void keeper.repair());

  const stopped = (async (): Promise<void> => {
    try {
      for (;;) {
        await clock.sleep(tidyMs, signal);
        pipes.sweep();
        await keeper.repair();
        watch.renew();
        await keeper.tidy();
      }
    } catch (err) {
      if (!signal.aborted) throw err;
    } finally {
      watch.close();
      await pipes.close();
      await new Promise((resolve) => server.close(resolve));
      await close();
    }
  })();

  return {
    async setNetwork(network) {
      await keeper.setNetwork(network);
      watch.renew();
    },
    stopped,
  };
}

function installOptions(options: CniServerOptions): InstallOptions {
  return {
    ...options,
    nodePath: process.execPath,
    clientPath: fileURLToPath(new URL('../../cni-bin/fairlead.cjs', import.meta.url)),
    notesDir: join(options.stateDir, 'notes'),
    pipesDir: `${options.socket}.pipes`,
  };
}

interface Parts {
  readonly plugin: CniPlugin;
  readonly hostPorts: NftHostPorts;
  readonly ipam: Ipam;
  close(): Promise<void>;
}

/** The plugin over this node's kernel and disk. */
async function openParts({ stateDir, hostLocalDir = '/var/lib/cni/networks', log }: CniServerOptions): Promise<Parts> {
  const unlock = lockDirectory(stateDir);
  const node = new Rtnetlink();
  const aside = new Rtnetlink({ aside: true });
  const ipam = await Ipam.open(join(stateDir, 'addresses.jsonl'), log);
  const nft = new KernelNftables();
  const conntrack = new Conntrack();
  const forgetUdp: ForgetUdp = async (ports) => {
    for (const family of [4, 6] as const) await conntrack.deleteWhere(family, IPPROTO.udp, (flow) => ports.has(flow.orig.dstPort));
  };
  const hostPorts = new NftHostPorts(nft, forgetUdp, log);
  const predecessor = new KernelPredecessor(node, hostLocalDir);
  const plugin = new CniPlugin({ ipam, wiring: new KernelWiring(node, aside), hostPorts, predecessor, log });
  const close = async (): Promise<void> => {
    for (const part of [node, aside, nft, conntrack]) part.close();
    await ipam.close();
    unlock();
  };
  return { plugin, hostPorts, ipam, close };
}

type KeeperParts = Pick<Parts, 'plugin' | 'hostPorts'> & { readonly install: InstallOptions; readonly log: Log };

/** Keeps what attached pods need as it should be. What goes wrong is said, and tried again. */
class Keeper {
  readonly #parts: KeeperParts;
  /** Before that the runtime must not find a network. */
  #hasNetwork = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  async setNetwork(network: PodNetwork): Promise<void> {
    await this.#parts.plugin.setNetwork(network);
    await this.#parts.hostPorts.setBridge(network.bridge);
    installConflist(this.#parts.install);
    this.#hasNetwork = true;
  }

  /** Puts back what others have changed: installed files, pods' links. */
  repair(): Promise<void> {
    return this.#orSay('put back what pods need', async () => {
      installPlugins(this.#parts.install);
      if (this.#hasNetwork) installConflist(this.#parts.install);
      await this.#parts.plugin.repair();
    });
  }

  /** Reads notes, takes back addresses of pods that are gone, and compares host ports with the kernel. */
  tidy(): Promise<void> {
    return this.#orSay('tidy up after pods', async () => {
      await actOnNotes(this.#parts.install.notesDir, (call) => this.#parts.plugin.call(call), this.#parts.log);
      const count = await this.#parts.plugin.reclaim();
      await this.#parts.hostPorts.heal();
      if (count > 0) this.#parts.log.info(`Took back ${count} addresses of pods that are gone`);
    });
  }

  async #orSay(what: string, work: () => Promise<void>): Promise<void> {
    await work().catch((err: unknown) => this.#parts.log.warn(`Cannot ${what}: ${messageOf(err)}`));
  }
}
