/**
 * Real servers of a virtual server that has very many. For each that is added the kernel looks at all that the virtual server has, with all other changes of virtual
 * servers waiting: 60,000 are seconds. They come by portions, and changes of others between these.
 */
import { type Ipvs, type IpvsOp, realName, serverName } from '../../../linux/ipvs/ipvs.ts';
import type { NetlinkError } from '../../../linux/netlink/netlink-error.ts';

type AddReal = Extract<IpvsOp, { op: 'add-real' }>;

/** As many at once are added in one go: with 6,000 it takes some milliseconds. */
const manyReals = 6144;
/** One buffer of messages. */
const portion = 1024;

export class Filling {
  readonly #ipvs: Pick<Ipvs, 'apply'>;
  /** What is still to come, by the name of the virtual server. */
  readonly #left = new Map<string, AddReal[]>();

  constructor(ipvs: Pick<Ipvs, 'apply'>) {
    this.#ipvs = ipvs;
  }

  get isDone(): boolean {
    return this.#left.size === 0;
  }

  /** Gives the changes without what comes later: the first portion of each virtual server is among them. */
  cut(ops: readonly IpvsOp[]): readonly IpvsOp[] {
    if (ops.length <= manyReals) return ops;
    const all = ops.filter((op) => op.op === 'add-real');
    const added = Map.groupBy(all, ({ address }) => serverName(address));
    const late = new Set<IpvsOp>();
    for (const [name, list] of added) {
      if (list.length <= manyReals) continue;
      const left = list.slice(portion);
      this.#left.set(name, left);
      for (const op of left) late.add(op);
    }
    return late.size === 0 ? ops : ops.filter((op) => !late.has(op));
  }

  /** The names of real servers that a virtual server does not have yet. They are not to come any more: who asks sees to it. */
  take(name: string): ReadonlySet<string> {
    const left = this.#left.get(name) ?? [];
    this.#left.delete(name);
    return new Set(left.map(({ real }) => realName(real)));
  }

  clear(): void {
    this.#left.clear();
  }

  /** Adds the next portion. One element per change, as the kernel answers. */
  async fill(): Promise<readonly (NetlinkError | undefined)[]> {
    const [first] = this.#left;
    if (!first) return [];
    const [name, left] = first;
    const next = left.splice(0, portion);
    if (left.length === 0) this.#left.delete(name);
    return await this.#ipvs.apply(next);
  }
}
