/** The kernel's links, addresses, routes and neighbours of this namespace: reading them as values, and taking steps. */

import { cidrContains, type Family, familyOf, mustCidr } from '../../ip/ip.ts';
import { type Address, addAddress, deleteAddress } from '../../linux/netlink/address.ts';
import { addLink, changeLink, deleteLink } from '../../linux/netlink/link.ts';
import type { NetlinkMessage, NetlinkRequest } from '../../linux/netlink/message.ts';
import { deleteNeighbour, replaceNeighbour } from '../../linux/netlink/neighbour.ts';
import { isErrno } from '../../linux/netlink/netlink-error.ts';
import { deleteRoute, replaceRoute } from '../../linux/netlink/route.ts';
import { RTNLGRP, type Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { addressFamilies } from '../../linux/socket-address.ts';
import { sourceAddressTo } from '../../linux/source-address.ts';
import { ensureSysctl, readSysctl } from '../../linux/sysctl.ts';
import { routeProtocol, type Step } from '../plan/diff.ts';
import type { KernelState, Underlay } from '../plan/network.ts';
import type { NodeAddresses } from '../plan/underlay.ts';

/** Loopback, and what is known on its link alone. */
const elsewhere = ['127.0.0.0/8', '::1/128', 'fe80::/10'].map(mustCidr);

const everything: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

const forwarding6 = 'net/ipv6/conf/all/forwarding';

/** Who made a route. Source: include/uapi/linux/rtnetlink.h. */
const RTPROT_KERNEL = 2;
const RTPROT_RA = 9;

/** What the reconciler asks of a kernel; tests have one in memory. */
export type NetworkKernel = Pick<LinuxNetworkKernel, keyof LinuxNetworkKernel>;

export class LinuxNetworkKernel {
  readonly #netlink: Rtnetlink;

  constructor(netlink: Rtnetlink) {
    this.#netlink = netlink;
  }

  async read(): Promise<KernelState> {
    const [links, addresses, routes, neighbours, fdb] = [
      await this.#netlink.links(),
      await this.#netlink.addresses(),
      await this.#netlink.routes(),
      await this.#netlink.neighbours(),
      await this.#netlink.fdb(),
    ];
    const names = new Map(links.map((l) => [l.index, l.name]));
    const name = (index: number): string => names.get(index) ?? `#${index}`;
    return {
      links: links.map((l) => ({
        name: l.name,
        mac: l.mac,
        mtu: l.mtu,
        up: l.up,
        kind: l.details ?? { kind: 'other' },
        ...(l.parent === 0 ? {} : { parent: name(l.parent) }),
      })),
      addresses: addresses.map((a) => ({ link: name(a.index), ip: a.ip, prefix: a.prefix })),
      routes: routes.map((r) => ({
        dst: r.dst,
        link: name(r.index),
        gateway: r.gateway,
        onlink: r.onlink ?? false,
        protocol: r.protocol ?? 0,
      })),
      neighbours: [...neighbours, ...fdb].map((n) => ({ kind: n.kind, link: name(n.index), ip: n.ip, mac: n.mac })),
    };
  }

  /** Takes all steps; throws the first refusal after trying every one. What is gone already counts as deleted. */
  async take(steps: readonly Step[]): Promise<void> {
    // Links first: what comes after them needs their indexes.
    const onLinks = steps.filter(isOnLink);
    let indexes = await this.#indexes();
    for (const step of onLinks) await this.#send([step], indexes);
    if (onLinks.length > 0) indexes = await this.#indexes();
    await this.#send(
      steps.filter((s) => !isOnLink(s)),
      indexes,
    );
  }

  async setSysctls(sysctls: Readonly<Record<string, string>>): Promise<void> {
    if (sysctls[forwarding6] === '1' && readSysctl(forwarding6) === '0') await this.#keepAdvertised();
    // A kernel without IPv6 has none of its settings.
    for (const [name, value] of Object.entries(sysctls)) if (readSysctl(name) !== undefined) ensureSysctl(name, value);
  }

  /** A machine that forwards drops default routes that it learnt from routers, and learns no more, unless `accept_ra` is 2. */
  async #keepAdvertised(): Promise<void> {
    const indexes = new Set((await this.#netlink.routes()).filter((r) => r.protocol === RTPROT_RA).map((r) => r.index));
    for (const { index, name } of await this.#netlink.links()) {
      const setting = `net/ipv6/conf/${name}/accept_ra`;
      if (indexes.has(index) && readSysctl(setting) === '1') ensureSysctl(setting, '2');
    }
  }

  /** What `chooseUnderlay` chooses from. */
  async nodeAddresses(family: Family): Promise<NodeAddresses> {
    const isOurs = ({ ip }: Address): boolean => familyOf(ip) === family && !elsewhere.some((range) => cidrContains(range, ip));
    const [links, addresses] = [await this.#netlink.links(), (await this.#netlink.addresses()).filter(isOurs)];
    const all: readonly Underlay[] = links.flatMap(({ index, name, mtu }) =>
      addresses.filter((a) => a.index === index).map(({ ip, prefix }) => ({ name, mtu, ip, prefix })),
    );
    return { addresses: all, sourceTo: sourceAddressTo, sourceToWorld: () => this.#sourceToWorld(family) };
  }

  /** Of the links with these names, as far as they are there. */
  async indexes(names: ReadonlySet<string>): Promise<ReadonlySet<number>> {
    return new Set((await this.#netlink.links()).filter((l) => names.has(l.name)).map((l) => l.index));
  }

  async #sourceToWorld(family: Family): Promise<string | undefined> {
    const routes = (await this.#netlink.routes()).filter((r) => r.dst === everything[family]);
    const [best] = routes.toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0));
    if (!best) return undefined;
    return best.source ?? (await this.#netlink.addresses()).find((a) => a.index === best.index && familyOf(a.ip) === family)?.ip;
  }

  async #indexes(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#netlink.links()).map((l) => [l.name, l.index]));
  }

  async #send(steps: readonly Step[], indexes: ReadonlyMap<string, number>): Promise<void> {
    const requests = steps.map((step) => requestOf(step, indexes));
    const [first] = requests;
    if (!first) return;
    const doing = steps.length === 1 ? first.doing : `set up the pod network (${steps.length} changes)`;
    const errors = await this.#netlink.batch(
      requests.map(({ request }) => request),
      doing,
    );
    const refused = errors.find(
      (e, i) => e !== undefined && !(steps[i]?.do.startsWith('delete') && isErrno(e, 'ENODEV', 'ESRCH', 'ENOENT', 'EADDRNOTAVAIL')),
    );
    if (refused) throw refused;
  }
}

function isOnLink(step: Step): boolean {
  return step.do === 'delete-link' || step.do === 'add-link' || step.do === 'change-link';
}

/** The request, and what it does in words for an error. */
function requestOf(step: Step, indexes: ReadonlyMap<string, number>): { readonly request: NetlinkRequest; readonly doing: string } {
  // Index 0 makes the kernel say ENODEV, which is what it is.
  const index = (name: string): number => indexes.get(name) ?? 0;
  switch (step.do) {
    case 'delete-link':
      return { request: deleteLink(step.name), doing: `delete link "${step.name}"` };
    case 'add-link': {
      const { name, kind, mac, mtu, parent } = step.link;
      const on = parent === undefined ? {} : { parent: index(parent) };
      return { request: addLink(name, kind, { mac, mtu, up: true, ...on }), doing: `create link "${name}"` };
    }
    case 'change-link':
      return { request: changeLink(step.name, step), doing: `change link "${step.name}"` };
    case 'add-address':
    case 'delete-address': {
      const [word, change] = step.do === 'add-address' ? ['add', addAddress] : ['delete', deleteAddress];
      const { link, ip, prefix } = step;
      return { request: change({ index: index(link), ip, prefix }), doing: `${word} address ${ip}/${prefix} of "${link}"` };
    }
    case 'put-neighbour':
    case 'delete-neighbour': {
      const [word, change] = step.do === 'put-neighbour' ? ['set', replaceNeighbour] : ['delete', deleteNeighbour];
      const { kind, ip, link } = step.neighbour;
      return { request: change({ ...step.neighbour, index: index(link) }), doing: `${word} ${kind} ${ip} of "${link}"` };
    }
    case 'put-route': {
      const request = replaceRoute({ ...step.route, index: index(step.route.link), protocol: routeProtocol });
      return { request, doing: `set route to ${step.route.dst}` };
    }
    case 'delete-route': {
      const { dst, gateway, protocol, link } = step.route;
      const request = deleteRoute({ dst, index: index(link), protocol, ...(gateway === undefined ? {} : { gateway }) });
      return { request, doing: `delete route to ${dst}` };
    }
  }
}

/** Groups whose notices may concern the pod network. */
export const watchedGroups: readonly number[] = [
  RTNLGRP.link,
  RTNLGRP.address4,
  RTNLGRP.route4,
  RTNLGRP.address6,
  RTNLGRP.route6,
  RTNLGRP.neighbour,
];

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWNEIGH = 28;

/** In IPv6 the kernel makes routes with every link, so with every pod, and makes those anew that routers advertise. */
function isOfLink({ data }: NetlinkMessage): boolean {
  const [family, , , , , protocol] = data;
  return family === addressFamilies[6] && (protocol === RTPROT_KERNEL || protocol === RTPROT_RA);
}

/**
 * Whether a notice may mean that something of ours has changed. Pods come and go without it: their links are not in
 * `indexes`. Of neighbours only the disappearance counts, as the kernel learns and refreshes them all the time.
 */
export function concerns(notice: NetlinkMessage | 'lost', indexes: ReadonlySet<number>): boolean {
  if (notice === 'lost') return true;
  if (notice.type === RTM_NEWROUTE || notice.type === RTM_DELROUTE) return !isOfLink(notice);
  if (notice.type === RTM_NEWNEIGH) return false;
  // ifinfomsg, ifaddrmsg and ndmsg all have the link's index at byte 4.
  const index = notice.data.length >= 8 ? notice.data.readInt32LE(4) : 0;
  return indexes.has(index);
}
