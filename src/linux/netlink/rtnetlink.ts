/** A routing socket that reads whole tables as values. Changes are sent as requests made by link.ts, address.ts, route.ts, neighbour.ts. */
import { inNetns } from '../netns.ts';
import { type Address, getAddresses, parseAddress } from './address.ts';
import { getLink, getLinks, type Link, parseLink } from './link.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';
import { getFdb, getNeighbours, type Neighbour, parseNeighbour } from './neighbour.ts';
import { isErrno } from './netlink-error.ts';
import { NETLINK_ROUTE, NetlinkSocket, type NetlinkSocketOptions } from './netlink-socket.ts';
import { getRoutes, parseRoute, type Route } from './route.ts';

/** Multicast groups for `subscribe`. */
export const RTNLGRP = { link: 1, neighbour: 3, address4: 5, route4: 7, address6: 9, route6: 11 } as const;

export class Rtnetlink extends NetlinkSocket {
  constructor(options: NetlinkSocketOptions = {}) {
    super(NETLINK_ROUTE, options);
  }

  /** A socket of the network namespace at `path`. Throws NAMESPACE_GONE. */
  static openIn(path: string, options: NetlinkSocketOptions = {}): Rtnetlink {
    return inNetns(path, () => new Rtnetlink(options));
  }

  links(): Promise<Link[]> {
    return this.#table(getLinks, parseLink, 'list links');
  }

  addresses(): Promise<Address[]> {
    return this.#table(getAddresses, parseAddress, 'list addresses');
  }

  /** Unicast routes of the main table. */
  routes(): Promise<Route[]> {
    return this.#table(getRoutes, parseRoute, 'list routes');
  }

  /** Permanent neighbours. */
  neighbours(): Promise<Neighbour[]> {
    return this.#table(getNeighbours, parseNeighbour, 'list neighbours');
  }

  /** Permanent forwarding entries that point to another node. */
  fdb(): Promise<Neighbour[]> {
    return this.#table(getFdb, parseNeighbour, 'list forwarding entries');
  }

  /** One link by name or index; undefined when there is none. */
  async link(link: string | number): Promise<Link | undefined> {
    try {
      const [message] = await this.get(getLink(link), `read link "${link}"`);
      return message && parseLink(message);
    } catch (err) {
      if (isErrno(err, 'ENODEV')) return undefined;
      throw err;
    }
  }

  async #table<T>(request: NetlinkRequest, parse: (message: NetlinkMessage) => T | undefined, doing: string): Promise<T[]> {
    const rows: T[] = [];
    for (const message of await this.dump(request, doing)) {
      const row = parse(message);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}
