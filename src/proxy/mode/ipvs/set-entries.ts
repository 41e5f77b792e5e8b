/**
 * Changes entries of sets. A set has room for 65,536, as kube-proxy's: what finds none is left out and told, so that it holds up nobody else, and gets the
 * room of what leaves. But where whoever is left out is let in, the kernel's refusal stays one.
 */
import type { Ipset, IpsetOp } from '../../../linux/ipset/ipset.ts';
import { isErrno, type NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { Log } from '../../../observability/log.ts';
import type { Member } from './render.ts';
import { declarationOf, kernelName, type SetName } from './set-names.ts';

/** Rules drop what is in these. */
const dropped: ReadonlySet<SetName> = new Set(['LOAD-BALANCER-FW', 'NO-LOCAL', 'NO-LOCAL-OUTSIDE']);

/** Whether rules drop what is in that set. */
export function shutsOut({ set }: Member): boolean {
  return dropped.has(set);
}

const hint = 'Use proxy mode "nftables", whose sets grow, or fewer Services, ports and source ranges';

export class SetEntries {
  readonly #ipset: Pick<Ipset, 'apply'>;
  readonly #family: TableFamily;
  readonly #log: Log;
  /** What found no room, with the refusal, in the order in which it is to get some. */
  readonly #leftOut = new Map<SetName, Map<string, NetlinkError>>();
  /** How many left those sets since. */
  readonly #room = new Map<SetName, number>();
  /** Of which the log has it. */
  readonly #told = new Set<SetName>();
  /** Whether it is known what finds no room. */
  #isTried = true;

  constructor(ipset: Pick<Ipset, 'apply'>, family: TableFamily, log: Log) {
    this.#ipset = ipset;
    this.#family = family;
    this.#log = log;
  }

  /** Everything that is wanted is about to be compared with what is there: what found no room is tried again. */
  compared(): void {
    this.#leftOut.clear();
    this.#room.clear();
    this.#isTried = false;
  }

  isFull(set: SetName): boolean {
    return this.#leftOut.has(set);
  }

  /** Entries for which a set has no room. */
  leftOut(set: SetName): string[] {
    return [...(this.#leftOut.get(set)?.keys() ?? [])];
  }

  hasRoomFor({ set, entry }: Member): boolean {
    return this.#leftOut.get(set)?.has(entry) !== true;
  }

  /** Gives what the kernel refused for another reason than that a set is full. */
  async change(op: 'add' | 'del', list: readonly Member[]): Promise<NetlinkError[]> {
    const errors = await this.#ipset.apply(list.map(({ set, entry }): IpsetOp => ({ op, set: declarationOf(set, this.#family), entry })));
    if (op === 'add') this.#isTried = true;
    const refusals: NetlinkError[] = [];
    for (const [i, member] of list.entries()) {
      const error = errors[i] ?? undefined;
      const wasLeftOut = this.#forget(member);
      if (error && isErrno(error, 'IPSET_ERR_HASH_FULL')) this.#leaveOut(member, error);
      else if (error) refusals.push(error);
      else if (op === 'del' && !wasLeftOut) this.#room.set(member.set, (this.#room.get(member.set) ?? 0) + 1);
    }
    return refusals;
  }

  #forget({ set, entry }: Member): boolean {
    const left = this.#leftOut.get(set);
    const wasLeftOut = left?.delete(entry) === true;
    if (left?.size === 0) this.#leftOut.delete(set);
    return wasLeftOut;
  }

  #leaveOut({ set, entry }: Member, error: NetlinkError): void {
    const left = this.#leftOut.get(set) ?? new Map<string, NetlinkError>();
    this.#leftOut.set(set, left.set(entry, error));
  }

  /** Those that were left out for which others have made room: as many as have left. */
  takeRoom(): Member[] {
    const next = [...this.#room].flatMap(([set, count]) =>
      this.leftOut(set)
        .slice(0, count)
        .map((entry): Member => ({ set, entry })),
    );
    this.#room.clear();
    return next;
  }

  /** The kernel's refusals of what shuts somebody out. */
  get refusals(): NetlinkError[] {
    return [...dropped].flatMap((set) => [...(this.#leftOut.get(set)?.values() ?? [])]);
  }

  /** Says what found no room in the end, once as long as it does not. A comparison that failed before anything was tried shows nothing of that. */
  tell(): void {
    if (!this.#isTried) return;
    for (const set of this.#told) if (!this.isFull(set)) this.#told.delete(set);
    for (const set of this.#leftOut.keys()) this.#tell(set);
  }

  #tell(set: SetName): void {
    if (this.#told.has(set) || dropped.has(set)) return;
    this.#told.add(set);
    const [first, ...more] = this.leftOut(set);
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    this.#log.warn(`Set "${kernelName(set, this.#family)}" is full, and has no room for ${first}${others}: all else is served`, { hint });
  }
}
