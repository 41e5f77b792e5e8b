/** Real servers that get no new connections and go when theirs have ended. Asks the kernel about these, and about no others. */
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

  constructor(ipvs: Pick<Ipvs, 'apply' | 'realServers' | 'allRealServers'>) {
    this.#ipvs = ipvs;
  }

  get isEmpty(): boolean {
    return this.#left.size === 0;
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
      for (const real of [...reals.keys()]) if (!server || server.reals.has(real)) reals.delete(real);
      if (reals.size === 0) this.#left.delete(name);
    }
  }

  clear(): void {
    this.#left.clear();
  }

  /** Takes away those without connections, and virtual servers that have none left. `of`: looks at the virtual servers of these alone. */
  async drain(wanted: ReadonlyMap<string, Balanced>, of?: readonly Retired[]): Promise<void> {
    const looked = this.#leftOf(of);
    const held = await this.#held(looked);
    const ops: IpvsOp[] = [];
    for (const [name, { address, reals }] of looked) {
      for (const [real, { ip, port }] of reals) {
        const connections = held.get(name)?.get(real);
        if (connections !== undefined && connections > 0) continue;
        reals.delete(real);
        if (connections !== undefined) ops.push({ op: 'delete-real', address, real: { ip, port } });
      }
      if (reals.size > 0) continue;
      this.#left.delete(name);
      if (wanted.get(name)?.reals.size === 0) ops.push({ op: 'delete-server', address });
    }
    const refused = (await this.#ipvs.apply(ops)).find((error) => error && !['ENOENT', 'ESRCH'].includes(error.errno));
    if (refused) throw refused;
  }

  #leftOf(retired?: readonly Retired[]): [string, Left][] {
    if (!retired) return [...this.#left];
    const names = new Set(retired.map(({ address }) => serverName(address)));
    return [...this.#left].filter(([name]) => names.has(name));
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
