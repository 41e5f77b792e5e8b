/**
 * Changes of the real servers of a virtual server that has very many. For each of them the kernel looks at all that the virtual server has, with all other changes of
 * virtual servers waiting: 60,000 are seconds. They are made by portions, and changes of others between these.
 */
import { type Ipvs, type IpvsOp, type RealServer, realName, serverName } from '../../../linux/ipvs/ipvs.ts';
import type { NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import type { Retired } from './difference.ts';

type RealOp = Extract<IpvsOp, { op: 'add-real' | 'set-real' | 'delete-real' }>;

/** As many of one virtual server at once are changed in one go: with 6,000 it takes some milliseconds. */
export const manyReals = 6144;
/** As many of all virtual servers at once are changed in one go: a Service of a thousand addresses has each endpoint a thousand times. */
const manyInAll = 65_536;
/** Of each virtual server so many are changed at once where there are more. */
const few = 16;
/** One buffer of messages. */
export const portion = 1024;

/** Changes, and real servers whose connections are waited for once these are made. */
export interface Share {
  readonly ops: readonly IpvsOp[];
  readonly retired: readonly Retired[];
}

interface Left {
  readonly ops: RealOp[];
  /** By name of the real server. */
  readonly retired: Map<string, Retired>;
}

function isOfReal(op: IpvsOp): op is RealOp {
  return op.op === 'add-real' || op.op === 'set-real' || op.op === 'delete-real';
}

/** A real server that the kernel has with a weight which nobody remembers: it equals none. */
function withUnknownWeight({ real: { ip, port } }: RealOp): RealServer {
  return { ip, port, weight: Number.NaN };
}

export class Portions {
  readonly #ipvs: Pick<Ipvs, 'apply'>;
  /** What is still to be done, by the name of the virtual server. */
  readonly #left = new Map<string, Left>();

  constructor(ipvs: Pick<Ipvs, 'apply'>) {
    this.#ipvs = ipvs;
  }

  get isDone(): boolean {
    return this.#left.size === 0;
  }

  /** Whether something is left to do at a virtual server. */
  has(name: string): boolean {
    return this.#left.has(name);
  }

  /**
   * Gives the changes without what is made later: the first portion of what comes to each virtual server, and of what changes at it, is among them. Later what
   * changes comes first: it may be gone already.
   */
  cut({ ops, retired }: Share): Share {
    if (ops.length <= manyReals) return { ops, retired };
    const late = new Set<IpvsOp>();
    const reals = ops.filter(isOfReal);
    const [most, first] = reals.length > manyInAll ? [few, few] : [manyReals, portion];
    for (const [name, list] of Map.groupBy(reals, ({ address }) => serverName(address))) {
      if (list.length <= most) continue;
      const { come = [], change = [] } = Object.groupBy(list, ({ op }) => (op === 'add-real' ? 'come' : 'change'));
      const left = [change, come].filter(({ length }) => length > most).flatMap((part) => part.slice(first));
      if (left.length === 0) continue;
      this.#left.set(name, { ops: left, retired: new Map() });
      for (const op of left) late.add(op);
    }
    if (late.size === 0) return { ops, retired };
    return { ops: ops.filter((op) => !late.has(op)), retired: this.#withoutLate(retired) };
  }

  #withoutLate(retired: readonly Retired[]): Retired[] {
    const changed = new Map([...this.#left].map(([name, { ops }]) => [name, new Set(ops.map(({ real }) => realName(real)))]));
    return retired.filter((one) => {
      const [name, real] = [serverName(one.address), realName(one.real)];
      if (!changed.get(name)?.has(real)) return true;
      this.#left.get(name)?.retired.set(real, one);
      return false;
    });
  }

  /**
   * What the kernel has, by name, of the real servers of a virtual server that are still to be changed: undefined of those that it has not. They are not changed
   * any more: who asks sees to it.
   */
  take(name: string): ReadonlyMap<string, RealServer | undefined> {
    const ops = this.#left.get(name)?.ops ?? [];
    this.#left.delete(name);
    return new Map(ops.map((op) => [realName(op.real), op.op === 'add-real' ? undefined : withUnknownWeight(op)]));
  }

  clear(): void {
    this.#left.clear();
  }

  /** Makes the changes of the next portion. One answer per change, as the kernel gave it, and whose connections are waited for from now on. */
  async next(): Promise<{ readonly answers: readonly (NetlinkError | undefined)[]; readonly retired: readonly Retired[] }> {
    const ops: RealOp[] = [];
    const retired: Retired[] = [];
    for (const [name, left] of this.#left) {
      for (const op of left.ops.splice(0, portion - ops.length)) {
        ops.push(op);
        const one = left.retired.get(realName(op.real));
        if (one) retired.push(one);
      }
      if (left.ops.length === 0) this.#left.delete(name);
      if (ops.length === portion) break;
    }
    return { answers: ops.length === 0 ? [] : await this.#ipvs.apply(ops), retired };
  }
}
