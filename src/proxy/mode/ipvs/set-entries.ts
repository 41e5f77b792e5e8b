/**
 * Changes entries of sets. A set has room for 65,536, as kube-proxy's: what finds none is left out and told, so that it holds up nobody else. But where
 * whoever is left out is let in, the kernel's refusal stays one.
 */
import type { Ipset, IpsetOp } from '../../../linux/ipset/ipset.ts';
import { isErrno, type NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { Log } from '../../../observability/log.ts';
import type { Member } from './render.ts';
import { declarationOf, kernelName, type SetName } from './set-names.ts';

/** Rules drop what is in these. */
const dropped: ReadonlySet<SetName> = new Set(['LOAD-BALANCER-FW', 'NO-LOCAL', 'NO-LOCAL-OUTSIDE']);

export class SetEntries {
  readonly #ipset: Pick<Ipset, 'apply'>;
  readonly #family: TableFamily;
  readonly #log: Log;
  /** In which something found no room. */
  #full = new Set<SetName>();
  #fullBefore: ReadonlySet<SetName> = this.#full;
  #hasRoomAgain = false;

  constructor(ipset: Pick<Ipset, 'apply'>, family: TableFamily, log: Log) {
    this.#ipset = ipset;
    this.#family = family;
    this.#log = log;
  }

  /** Everything that is wanted is compared with what is there: what found no room is tried again. */
  compared(): void {
    this.#fullBefore = this.#full;
    this.#full = new Set();
    this.#hasRoomAgain = false;
  }

  /** Whether something left a set that was full. */
  get hasRoomAgain(): boolean {
    return this.#hasRoomAgain;
  }

  /** Gives what the kernel refused for another reason. */
  async change(op: 'add' | 'del', list: readonly Member[]): Promise<(NetlinkError | undefined)[]> {
    const errors = await this.#ipset.apply(list.map(({ set, entry }): IpsetOp => ({ op, set: declarationOf(set, this.#family), entry })));
    const isLeftOut = list.map(({ set }, i) => isErrno(errors[i], 'IPSET_ERR_HASH_FULL') && !dropped.has(set));
    const leftOut = list.filter((_, i) => isLeftOut[i]);
    this.#hasRoomAgain ||= op === 'del' && list.some(({ set }) => this.#full.has(set));
    for (const [set, members] of Map.groupBy(leftOut, (member) => member.set)) this.#leftOut(set, members);
    return errors.filter((_, i) => !isLeftOut[i]);
  }

  #leftOut(set: SetName, [first, ...more]: readonly Member[]): void {
    const isKnown = this.#full.has(set) || this.#fullBefore.has(set);
    this.#full.add(set);
    if (isKnown) return;
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    this.#log.warn(`Set "${kernelName(set, this.#family)}" is full, and has no room for ${first?.entry}${others}: all else is served`);
  }
}
