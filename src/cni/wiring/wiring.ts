/**
 * A pod's link in the kernel: a veth pair between the bridge and the pod's namespace.
 *
 * A pod reaches its neighbours on the same node through the gateway, too, not across the bridge: everything it sends passes
 * the node's routing, so that connection tracking sees both directions of a connection to a Service even where the kernel
 * has no br_netfilter, and rules about forwarded packets hold within a node.
 */
import { closeSync, openSync } from 'node:fs';
import { isKnownError, messageOf } from '../../errors/known-error.ts';
import { addAddress } from '../../linux/netlink/address.ts';
import { addLink, changeLink, deleteLink, getLink, type Link, parseLink } from '../../linux/netlink/link.ts';
import { isErrno } from '../../linux/netlink/netlink-error.ts';
import { addRoute } from '../../linux/netlink/route.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { netnsExists } from '../../linux/netns.ts';
import { type Attachment, aliasOf, fromAlias, hostLinkOf, macOf, type PodNetwork } from '../attachment.ts';
import { addressesOf, routesOf, wrongInPod, wrongOnNode } from './check.ts';

/** What the plugin asks of a kernel; tests have one in memory. */
export type Wiring = Pick<KernelWiring, keyof KernelWiring>;

/** Names of links, and in words why others were not changed. */
export interface Resized {
  readonly changed: readonly string[];
  readonly failures: readonly string[];
}

export class KernelWiring {
  readonly #node: Rtnetlink;
  readonly #aside: Rtnetlink;

  /** Sockets of the node's own namespace: one to read, and one for the changes that take long. */
  constructor(node: Rtnetlink, aside: Rtnetlink) {
    this.#node = node;
    this.#aside = aside;
  }

  /** Whether a network namespace is mounted at the path. */
  namespaceExists(path: string): boolean {
    return netnsExists(path);
  }

  /** Makes the pair, the pod's address and routes. On failure nothing is left. */
  async attach(a: Attachment, network: PodNetwork): Promise<void> {
    const name = hostLinkOf(a);
    const bridge = await this.#bridge(network);
    const netnsFd = openSync(a.netns, 'r');
    let made = false;
    try {
      const [refused, unset] = await this.#aside.batch(
        [
          addLink(
            name,
            { kind: 'veth', peer: { name: a.ifName, netnsFd, mac: macOf(a.ip, 'pod'), mtu: network.mtu } },
            { mac: macOf(a.ip, 'host'), mtu: network.mtu, master: bridge.index, up: true },
          ),
          changeLink(name, { alias: aliasOf(a), hairpin: true }),
        ],
        `create link "${a.ifName}" of pod "${a.pod}"`,
      );
      if (refused) throw refused;
      made = true;
      if (unset) throw unset;
      await this.#inside(a, network);
    } catch (err) {
      if (made) await this.detach(a);
      throw err;
    } finally {
      closeSync(netnsFd);
    }
  }

  /** Removes the pair; fine when it is gone. */
  async detach(a: { readonly containerId: string; readonly ifName: string }): Promise<void> {
    const name = hostLinkOf(a);
    const [error] = await this.#aside.batch([deleteLink(name)], `delete link "${name}"`);
    if (error && !isErrno(error, 'ENODEV')) throw error;
  }

  /** What is not as `attach` made it, in words; empty when all is well. */
  async check(a: Attachment, network: PodNetwork): Promise<readonly string[]> {
    const [host, bridge] = await Promise.all([this.#node.link(hostLinkOf(a)), this.#node.link(network.bridge)]);
    using pod = Rtnetlink.openIn(a.netns);
    const link = await pod.link(a.ifName);
    const [addresses, routes] = link ? [await pod.addresses(), await pod.routes()] : [[], []];
    return [...wrongOnNode(a, network, host, bridge), ...wrongInPod(a, network, host, link, addresses, routes)];
  }

  async loopbackUp(netns: string): Promise<void> {
    using pod = Rtnetlink.openIn(netns, { aside: true });
    // The kernel adds 127.0.0.1/8 and ::1 by itself.
    await pod.must([changeLink('lo', { up: true })], 'bring up "lo"');
  }

  /** Puts every pair whose node's end lost its bridge back into it; says which. */
  async reattach(network: PodNetwork): Promise<readonly string[]> {
    const bridge = await this.#bridge(network);
    const lost = (await this.#node.links()).filter((l) => fromAlias(l.alias) && (l.master !== bridge.index || !l.hairpin || !l.up));
    const requests = lost.flatMap((l) => [changeLink(l.index, { master: bridge.index, up: true }), changeLink(l.index, { hairpin: true })]);
    const errors = await this.#aside.batch(requests, `put links back into bridge "${network.bridge}"`);
    // A pod may have gone meanwhile.
    const refused = errors.find((e) => e !== undefined && !isErrno(e, 'ENODEV'));
    if (refused) throw refused;
    return lost.map((l) => l.name);
  }

  /** Gives pairs of another MTU the network's, the pods' end first: a link drops what its other end could not take. */
  async resize(attachments: readonly Attachment[], { mtu }: PodNetwork): Promise<Resized> {
    const others = new Set((await this.#node.links()).filter((l) => fromAlias(l.alias) && l.mtu !== mtu).map((l) => l.name));
    const [changed, failures]: [string[], string[]] = [[], []];
    for (const a of attachments.filter((one) => others.has(hostLinkOf(one)))) {
      try {
        using pod = Rtnetlink.openIn(a.netns, { aside: true });
        await pod.must([changeLink(a.ifName, { mtu })], `set the MTU of link "${a.ifName}" of pod "${a.pod}"`);
        await this.#aside.must([changeLink(hostLinkOf(a), { mtu })], `set the MTU of link "${hostLinkOf(a)}"`);
        changed.push(hostLinkOf(a));
      } catch (err) {
        // A pod may have gone meanwhile.
        if (!isKnownError(err, 'NAMESPACE_GONE') && !isErrno(err, 'ENODEV')) failures.push(messageOf(err));
      }
    }
    return { changed, failures };
  }

  /** Attachments as the kernel's links tell them. */
  async attachments(): Promise<readonly Attachment[]> {
    const found: Attachment[] = [];
    for (const link of await this.#node.links()) {
      const attachment = fromAlias(link.alias);
      if (attachment && link.name === hostLinkOf(attachment)) found.push(attachment);
    }
    return found;
  }

  async #inside(a: Attachment, network: PodNetwork): Promise<void> {
    using pod = Rtnetlink.openIn(a.netns, { aside: true });
    const [message] = await pod.get(getLink(a.ifName), `read link "${a.ifName}"`);
    const link = message && parseLink(message);
    if (!link) throw new Error(`Cannot set up link "${a.ifName}": it vanished`);
    await pod.must(
      [
        // Costs nothing here; the runtime's call of the loopback plugin may come later or not at all.
        changeLink('lo', { up: true }),
        changeLink(link.index, { up: true }),
        ...addressesOf(a, network).map(({ ip, prefix }) => addAddress({ index: link.index, ip, prefix }, { prefixRoute: false })),
        ...routesOf(network, link.index).map((r) => addRoute(r)),
      ],
      `set up link "${a.ifName}" of pod "${a.pod}"`,
    );
  }

  async #bridge(network: PodNetwork): Promise<Link> {
    const bridge = await this.#node.link(network.bridge);
    if (!bridge) throw new Error(`Cannot use bridge "${network.bridge}": it is not there`);
    return bridge;
  }
}
