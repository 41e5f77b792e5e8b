/** Real servers that get no new connections and go when theirs have ended. Asks the kernel about these, and about no others. Very many go by portions. */
import {
  connectionsOf,
  type Ipvs,
  type IpvsOp,
  type RealServer,
  realName,
  serverName,
  type VirtualAddress,
} from '../../../linux/ipvs/ipvs.ts';
import type { Retired } from './difference.ts';
import { manyReals, portion } from './portions.ts';
import type { Balanced } from './render.ts';

interface Left {
  readonly address: VirtualAddress;
  readonly reals: Map<string, RealServer>;
}

/** With more virtual servers than this, one listing of everything costs less than one of each. */
const fewServers = 32;

export class Draining {
  readonly #ipvs: Pick<Ipvs, 'apply' | 'realServers' | 'allRealServers'>;
  /** By name of the virtual server. */
  readonly #left = new Map<string, Left>();
  /** Names of real servers whose connections have ended, and which are still there, by name of the virtual server. */
  readonly #ended = new Map<string, string[]>();
  readonly #isChanging: (name: string) => boolean;

  /** `isChanging`: whether a virtual server has real servers that are to get no new connections, and do as yet. It is let be. */
  constructor(ipvs: Pick<Ipvs, 'apply' | 'realServers' | 'allRealServers'>, isChanging: (name: string) => boolean = () => false) {
    this.#ipvs = ipvs;
    this.#isChanging = isChanging;
  }

  get isEmpty(): boolean {
    return this.#left.size === 0;
  }

  /** Whether none is left whose connections have ended. */
  get isSwept(): boolean {
    return this.#ended.size === 0;
  }

  /** Whether a virtual server has any. */
  has(name: string): boolean {
    return this.#left.has(name);
  }

  add(retired: readonly Retired[]): void {
    for (const { address, real } of retired) {
      const name = serverName(address);
      const left = this.#left.get(name) ?? { address, reals: new Map<string, RealServer>() };
      this.#left.set(name, left);
      left.reals.set(realName(real), real);
    }
  }

  /** What a virtual server has besides what is wanted of it. */
  of(name: string): ReadonlyMap<string, RealServer> {
    return this.#left.get(name)?.reals ?? new Map();
  }

  /** Forgets those that serve again, and those whose virtual server is gone. */
  follow(wanted: ReadonlyMap<string, Balanced>): void {
    for (const [name, { reals }] of this.#left) {
      const server = wanted.get(name);
      const served = [...reals.keys()].filter((real) => !server || server.reals.has(real));
      // One that serves again and retires again has connections: they are looked at anew.
      if (served.length > 0) this.#ended.delete(name);
      for (const real of served) reals.delete(real);
      if (reals.size === 0) this.#left.delete(name);
    }
  }

  clear(): void {
    this.#left.clear();
    this.#ended.clear();
  }

  /** Takes away those without connections, and virtual servers that have none left. `of`: looks at the virtual servers of these alone. */
  async drain(wanted: ReadonlyMap<string, Balanced>, of?: readonly Retired[]): Promise<void> {
    const looked = this.#leftOf(of);
    const held = await this.#held(looked);
    const ops: IpvsOp[] = [];
    for (const [name, left] of looked) ops.push(...this.#take(name, left, held.get(name) ?? new Map(), wanted.get(name)));
    await this.#apply(ops);
  }

  /** Gives what takes away those of a virtual server that have no connections. */
  #take(name: string, { address, reals }: Left, held: ReadonlyMap<string, number>, wanted: Balanced | undefined): IpvsOp[] {
    for (const real of [...reals.keys()]) if (!held.has(real)) reals.delete(real);
    // In the kernel's order, in which it finds each at once.
    const ended = [...held].filter(([real, connections]) => connections === 0 && reals.has(real)).map(([real]) => real);
    const isUnwanted = wanted?.reals.size === 0 && ended.length === reals.size;
    if (ended.length > manyReals && !isUnwanted) {
      this.#ended.set(name, ended);
      return [];
    }
    this.#ended.delete(name);
    if (reals.size > ended.length) return this.#removal(address, reals, ended);
    this.#left.delete(name);
    return isUnwanted ? [{ op: 'delete-server', address }] : this.#removal(address, reals, ended);
  }

  #removal(address: VirtualAddress, reals: Map<string, RealServer>, names: readonly string[]): IpvsOp[] {
    const ops: IpvsOp[] = [];
    for (const name of names) {
      const real = reals.get(name);
      if (real) ops.push({ op: 'delete-real', address, real: { ip: real.ip, port: real.port } });
      reals.delete(name);
    }
    return ops;
  }

  /** Takes away the next portion of those whose connections have ended. */
  async sweep(): Promise<void> {
    const [first] = this.#ended;
    if (!first) return;
    const [name, ended] = first;
    const left = this.#left.get(name);
    const names = ended.splice(0, portion);
    if (ended.length === 0) this.#ended.delete(name);
    if (!left) return;
    const ops = this.#removal(left.address, left.reals, names);
    if (left.reals.size === 0) this.#left.delete(name);
    await this.#apply(ops);
  }

  async #apply(ops: readonly IpvsOp[]): Promise<void> {
    const refused = (await this.#ipvs.apply(ops)).find((error) => error && !['ENOENT', 'ESRCH'].includes(error.errno));
    if (refused) throw refused;
  }

  #leftOf(retired?: readonly Retired[]): [string, Left][] {
    const names = retired && new Set(retired.map(({ address }) => serverName(address)));
    return [...this.#left].filter(([name]) => (names?.has(name) ?? true) && !this.#isChanging(name));
  }

  /** Connections of the real servers of those virtual servers, by both names. */
  async #held(looked: readonly (readonly [name: string, left: Left])[]): Promise<Map<string, Map<string, number>>> {
    const all = looked.length > fewServers ? await this.#ipvs.allRealServers() : undefined;
    const held = new Map<string, Map<string, number>>();
    for (const [name, { address }] of looked) {
      const list = all ? (all.get(name) ?? []) : await this.#ipvs.realServers(address);
      held.set(name, new Map(list.map((real) => [realName(real), connectionsOf(real)])));
    }
    return held;
  }
}
