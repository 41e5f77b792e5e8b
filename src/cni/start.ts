/** Puts the plugin together and serves it. Composition: the net-agent says what the network is, through `setNetwork`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { lockDirectory } from '../linux/lock.ts';
import { Conntrack, IPPROTO } from '../linux/netlink/conntrack.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import type { Log } from '../observability/log.ts';
import type { PodNetwork } from './attachment.ts';
import { installConflist, installPlugins } from './install.ts';
import { AddressBook } from './ipam/address-book.ts';
import { actOnNotes } from './notes.ts';
import { servePipes } from './pipe-server.ts';
import { Plugin } from './plugin.ts';
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
  /** Default: the binary that runs this process. */
  readonly nodePath?: string;
}

export interface CniServer {
  /** Attaches pods to this network from now on, and tells the runtime that it may. May be called again when it changed. */
  setNetwork(network: PodNetwork): Promise<void>;
  /** Ends when the signal has been given and the last call is answered. */
  readonly stopped: Promise<void>;
}

/** How often notes are read, dead pods' addresses taken back, and host ports compared with the kernel. */
const TIDY_MS = 10_000;

/** Pods stay attached when it stops. Throws STATE_IN_USE. */
export async function startCniServer(options: CniServerOptions): Promise<CniServer> {
  const { log, clock, signal } = options;
  const notesDir = join(options.stateDir, 'notes');
  const install = {
    binDir: options.binDir,
    confDir: options.confDir,
    nodePath: options.nodePath ?? process.execPath,
    clientPath: fileURLToPath(new URL('../../cni-bin/fairlead.cjs', import.meta.url)),
    socket: options.socket,
    notesDir,
    pipesDir: `${options.socket}.pipes`,
  };
  const unlock = lockDirectory(options.stateDir);
  const node = new Rtnetlink();
  const aside = new Rtnetlink({ aside: true });
  const book = await AddressBook.open(join(options.stateDir, 'addresses.jsonl'), log);
  const nft = new KernelNftables();
  const conntrack = new Conntrack();
  const forgetUdp: ForgetUdp = async (ports) => {
    await conntrack.deleteWhere(4, IPPROTO.udp, (flow) => ports.has(flow.orig.dstPort));
  };
  const hostPorts = new NftHostPorts(nft, forgetUdp, log);
  const predecessor = new KernelPredecessor(node, options.hostLocalDir ?? '/var/lib/cni/networks');
  const plugin = new Plugin({ book, wiring: new KernelWiring(node, aside), hostPorts, predecessor, log });
  let hasNetwork = false;
  const repair = async (): Promise<void> => {
    installPlugins(install);
    if (hasNetwork) installConflist(install);
    await plugin.repair();
  };

  const tidy = async (): Promise<void> => {
    await actOnNotes(notesDir, (call) => plugin.call(call), log);
    const count = await plugin.reclaim();
    await hostPorts.heal();
    if (count > 0) log.info(`Took back ${count} addresses of pods that are gone`);
  };
  const repairOrSay = (): Promise<void> => repair().catch((err) => log.warn(`Cannot put back what pods need: ${messageOf(err)}`));
  const tidyOrSay = (): Promise<void> => tidy().catch((err) => log.warn(`Cannot tidy up after pods: ${messageOf(err)}`));

  const adopted = await plugin.adopt();
  if (adopted > 0) log.warn(`Found ${adopted} pod links that the address journal did not know`);
  await hostPorts.reset(book.all());
  await tidyOrSay();
  const server = await listenForCalls(options.socket, (call) => plugin.call(call));
  const pipes = servePipes(install.pipesDir, (call) => plugin.call(call), log);
  installPlugins(install);
  const watch = new NodeWatch([install.binDir, install.confDir], clock, () => void repairOrSay());

  const stopped = (async (): Promise<void> => {
    try {
      for (;;) {
        await clock.sleep(TIDY_MS, signal);
        pipes.sweep();
        await repairOrSay();
        watch.renew();
        await tidyOrSay();
      }
    } catch (err) {
      if (!signal.aborted) throw err;
    } finally {
      watch.close();
      await pipes.close();
      await new Promise((resolve) => server.close(resolve));
      node.close();
      aside.close();
      nft.close();
      conntrack.close();
      await book.close();
      unlock();
    }
  })();

  return {
    async setNetwork(network) {
      await plugin.setNetwork(network);
      await hostPorts.setBridge(network.bridge);
      installConflist(install);
      hasNetwork = true;
      watch.renew();
    },
    stopped,
  };
}
