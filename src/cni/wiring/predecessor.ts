/**
 * Pods that another plugin has attached to the same bridge: flannel's, of which this takes the place while they go on running. The
 * addresses that they have must not be given to others. Where no link of theirs is in the bridge all of this costs nothing.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIp } from '../../ip/ip.ts';
import { forgetNeighbour, getNeighbour, isResolved, solicitNeighbour } from '../../linux/netlink/neighbour.ts';
import { isErrno } from '../../linux/netlink/netlink-error.ts';
import type { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { fromAlias, type PodNetwork } from '../attachment.ts';

export type Predecessor = Pick<KernelPredecessor, keyof KernelPredecessor>;

/** An ARP request within the machine is answered in microseconds, also by a pod that is paused. */
const answerWithinMs = 50;
const askEveryMs = 5;

export class KernelPredecessor {
  readonly #node: Rtnetlink;
  readonly #dir: string;
  #addresses = new Set<string>();
  /** The bridge, while such pods are in it. */
  #bridge: number | undefined;

  /** `dir` is where host-local keeps its files: `/var/lib/cni/networks`. */
  constructor(node: Rtnetlink, dir: string) {
    this.#node = node;
    this.#dir = dir;
  }

  /** What its pods have, as far as that is written down or was found out. */
  get addresses(): ReadonlySet<string> {
    return this.#addresses;
  }

  /** Looks whether such pods are still there; gives how many links they have. */
  async look(network: PodNetwork): Promise<number> {
    const links = await this.#node.links();
    const bridge = links.find((l) => l.name === network.bridge)?.index;
    const foreign = links.filter((l) => l.master !== 0 && l.master === bridge && !fromAlias(l.alias));
    this.#bridge = foreign.length > 0 ? bridge : undefined;
    // Files stay behind when their pods have gone without that plugin.
    this.#addresses = foreign.length > 0 ? addressesIn(this.#dir) : new Set();
    return foreign.length;
  }

  /** Whether somebody on the bridge answers to one of these addresses. */
  async answersTo(ips: readonly string[]): Promise<boolean> {
    for (const ip of ips) if (await this.#answersTo(ip)) return true;
    return false;
  }

  async #answersTo(ip: string): Promise<boolean> {
    if (this.#bridge === undefined) return false;
    const target = { index: this.#bridge, ip };
    // What the kernel remembers may be of a pod that is gone.
    await this.#node.batch([forgetNeighbour(target), solicitNeighbour(target)], `ask who has ${ip}`);
    for (let waited = 0; waited < answerWithinMs; waited += askEveryMs) {
      await sleep(askEveryMs);
      if (!(await this.#isResolved(target))) continue;
      this.#addresses.add(ip);
      return true;
    }
    await this.#node.batch([forgetNeighbour(target)], `forget ${ip}`);
    return false;
  }

  async #isResolved(target: { readonly index: number; readonly ip: string }): Promise<boolean> {
    try {
      const [message] = await this.#node.get(getNeighbour(target), `see who has ${target.ip}`);
      return message !== undefined && isResolved(message);
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return false;
      throw err;
    }
  }
}

/** host-local has one folder per network, and in it a file per address, beside `lock` and `last_reserved_ip.0`. */
function addressesIn(dir: string): Set<string> {
  const names = namesIn(dir).flatMap((network) => namesIn(`${dir}/${network}`));
  return new Set(names.flatMap((name) => parseIp(name) ?? []));
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    // Not there, or no folder.
    return [];
  }
}
