/** What must change so that the kernel holds what Services want. Pure. */
import { type IpvsOp, isSameServer, type RealServer, realName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import type { Balanced, Member } from './render.ts';
import type { SetName } from './set-names.ts';

/** A real server that gets no new connections. */
export interface Retired {
  readonly address: VirtualAddress;
  readonly real: RealServer;
}

export interface Changes<T> {
  readonly fresh: readonly T[];
  readonly gone: readonly T[];
}

export interface Difference {
  readonly members: Changes<Member>;
  readonly addresses: Changes<string>;
  /** What comes and what is another now, in the order in which it is to be made. */
  readonly servers: readonly IpvsOp[];
  /** Virtual servers that nobody wants. */
  readonly unwanted: readonly VirtualAddress[];
  readonly retired: readonly Retired[];
}

/** Datagrams have no end that could be waited for: their flows go to another endpoint at once. */
export function isWaitedFor(address: VirtualAddress): boolean {
  return address.kind === 'mark' || address.protocol !== 'udp';
}

/** Gathers the changes of virtual servers. */
export class ServerChanges {
  readonly servers: IpvsOp[] = [];
  readonly unwanted: VirtualAddress[] = [];
  readonly retired: Retired[] = [];

  /** From what the kernel holds to what is wanted of it; undefined is none. */
  change(held: Balanced | undefined, wanted: Balanced | undefined): void {
    if (!wanted) {
      if (held) this.unwanted.push(held.address);
      return;
    }
    if (held || wanted.reals.size > 0) this.#serve(held, wanted);
    for (const [name, real] of held?.reals ?? []) if (!wanted.reals.has(name)) this.#retire(wanted.address, real);
    const isEmpty = held !== undefined && wanted.reals.size === 0;
    if (isEmpty && (held.reals.size === 0 || !isWaitedFor(wanted.address))) this.unwanted.push(wanted.address);
  }

  #serve(held: Balanced | undefined, { reals, ...server }: Balanced): void {
    const { address } = server;
    if (!held) this.servers.push({ op: 'add-server', server });
    else if (!isSameServer(held, server)) this.servers.push({ op: 'set-server', server });
    for (const [name, real] of reals) {
      const before = held?.reals.get(name);
      if (!before) this.servers.push({ op: 'add-real', address, real });
      else if (before.weight !== real.weight) this.servers.push({ op: 'set-real', address, real });
    }
  }

  #retire(address: VirtualAddress, real: RealServer): void {
    if (!isWaitedFor(address)) {
      this.servers.push({ op: 'delete-real', address, real });
      return;
    }
    if (real.weight !== 0) this.servers.push({ op: 'set-real', address, real: { ...real, weight: 0 } });
    this.retired.push({ address, real: { ...real, weight: 0 } });
  }
}

/** Real servers by name. */
export function byName(reals: Iterable<RealServer>): Map<string, RealServer> {
  return new Map(Array.from(reals, ({ ip, port, weight }) => [realName({ ip, port }), { ip, port, weight }]));
}

export function changesOf(held: ReadonlySet<string>, wanted: ReadonlySet<string>): Changes<string> {
  return { fresh: [...wanted].filter((one) => !held.has(one)), gone: [...held].filter((one) => !wanted.has(one)) };
}

/** Entries of a set. */
export function membersOf(set: SetName, { fresh, gone }: Changes<string>): Changes<Member> {
  const memberOf = (entry: string): Member => ({ set, entry });
  return { fresh: fresh.map(memberOf), gone: gone.map(memberOf) };
}

function count({ fresh, gone }: Changes<unknown>): number {
  return fresh.length + gone.length;
}

export function isNone(changes: Changes<unknown>): boolean {
  return count(changes) === 0;
}

/** How many changes. Real servers that retired already, and wait for the end of their connections, are none. */
export function stepsOf({ members, addresses, servers, unwanted }: Difference): number {
  return count(members) + count(addresses) + servers.length + unwanted.length;
}
