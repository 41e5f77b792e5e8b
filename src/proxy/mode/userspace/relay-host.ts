/** What userspace mode needs of a node: addresses of Services on the loopback link, and sockets. The edge. */
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { KnownError, messageOf } from '../../../errors/known-error.ts';
import { familyOf } from '../../../ip/ip.ts';
import { Arrivals } from '../../../linux/arrivals.ts';
import { type Address, addAddress, deleteAddress } from '../../../linux/netlink/address.ts';
import { isErrno } from '../../../linux/netlink/netlink-error.ts';
import { RTNLGRP, Rtnetlink } from '../../../linux/netlink/rtnetlink.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { Protocol } from '../../plan/service-plan.ts';
import type { Relay, Route, SocketAddress } from '../../relay/relay.ts';
import { TcpRelay } from '../../relay/tcp-relay.ts';
import { UdpRelay } from '../../relay/udp-relay.ts';
import { isServiceAddress, serviceAddressProto } from '../service-address.ts';

export interface RelayHost {
  /** Addresses that a proxy gave to the node. */
  held(family: TableFamily): Promise<ReadonlySet<string>>;
  /** Throws KERNEL_REFUSED when one could not be changed; the others are then. */
  change(added: readonly string[], removed: readonly string[]): Promise<void>;
  /** Throws PORT_TAKEN. */
  listen(protocol: Exclude<Protocol, 'sctp'>, address: SocketAddress, route: Route): Promise<Relay>;
  /** Counts what begins at an address of the node. Throws KERNEL_REFUSED. Absent: nothing is counted. */
  arrivals?(protocol: Exclude<Protocol, 'sctp'>, address: SocketAddress): Pick<Arrivals, 'take' | 'close'>;
  /** Calls `onChange` when an address came or went, or may have. */
  watch(onChange: () => void): { close(): void };
  close(): void;
}

/** Of the network namespace in which it was made. */
export class KernelRelayHost implements RelayHost {
  readonly #clock: Clock;
  readonly #routing = new Rtnetlink();
  readonly #notices = new Rtnetlink();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    for (const socket of [this.#routing, this.#notices]) socket.unref();
  }

  async held(family: TableFamily): Promise<ReadonlySet<string>> {
    const version = family === 'ip' ? 4 : 6;
    const ours = (await this.#routing.addresses()).filter((address) => isServiceAddress(address) && familyOf(address.ip) === version);
    return new Set(ours.map(({ ip }) => ip));
  }

  async change(added: readonly string[], removed: readonly string[]): Promise<void> {
    const index = (await this.#routing.link('lo'))?.index ?? 1;
    const address = (ip: string): Address => ({ index, ip, prefix: familyOf(ip) === 4 ? 32 : 128, proto: serviceAddressProto });
    const requests = [...removed.map((ip) => deleteAddress(address(ip))), ...added.map((ip) => addAddress(address(ip)))];
    const errors = await this.#routing.batch(requests, "change the addresses of Services on link 'lo'");
    // Somebody was faster: the node has it, or has it no more.
    const failure = errors.find((err) => err !== undefined && !isErrno(err, 'EEXIST') && !isErrno(err, 'EADDRNOTAVAIL'));
    if (failure)
      throw new KnownError('KERNEL_REFUSED', messageOf(failure), { cause: failure, hint: 'The proxy tries again; it needs CAP_NET_ADMIN' });
  }

  async listen(protocol: Exclude<Protocol, 'sctp'>, address: SocketAddress, route: Route): Promise<Relay> {
    return protocol === 'tcp' ? await TcpRelay.listen(address, route) : await UdpRelay.listen(address, route, this.#clock);
  }

  arrivals(protocol: Exclude<Protocol, 'sctp'>, address: SocketAddress): Arrivals {
    return new Arrivals(protocol, address);
  }

  watch(onChange: () => void): { close(): void } {
    let isOver = false;
    this.#notices.subscribe([RTNLGRP.address4, RTNLGRP.address6], () => (isOver ? undefined : onChange()));
    return {
      close: () => {
        isOver = true;
      },
    };
  }

  close(): void {
    for (const socket of [this.#routing, this.#notices]) socket.close();
  }
}
