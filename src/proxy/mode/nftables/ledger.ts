/**
 * The elements that all Services want together. Gives the steps from what was applied to what is wanted, touching only what changed.
 * Plain memory, no kernel.
 */
import { parseVerdict } from '../../../linux/nftables/rule.ts';
import type { Chain, Op, SetDeclaration, Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { changeElements, type Element } from './element.ts';
import { chainsOf, type OnDemand, onDemand, type SetName, setsOf, tableName } from './layout.ts';
import { UseCount } from './use-count.ts';

/** Looked up by number, after another set has said how many there are. */
export const slotSets: ReadonlySet<string> = new Set<SetName>(['endpoints', 'nodeport-endpoints']);

export class Ledger {
  readonly #node: NodeContext;
  readonly #declared: ReadonlyMap<string, SetDeclaration>;
  readonly #plans = new Map<string, ServicePlan>();
  readonly #wanted = new Map<SetName, Map<string, string>>();
  /** How many Services want an element that they may share. */
  readonly #shares = new Map<string, number>();
  /** Chains that wanted elements name, and the sets that their rules fill. */
  readonly #chains = new UseCount();
  readonly #dynamicSets = new UseCount();
  /** By the data of elements. */
  readonly #made = new Map<string, OnDemand>();
  /** Elements that may differ from what was applied: the value that the kernel has. */
  readonly #dirty = new Map<SetName, Map<string, string | undefined>>();
  /** Before the first `settled` nothing is known of the kernel, and everything is compared. */
  #wasSettled = false;

  constructor(node: NodeContext) {
    this.#node = node;
    const sets = setsOf(node);
    this.#declared = new Map(sets.map((set) => [set.name, set]));
    for (const set of sets) this.#wanted.set(set.name as SetName, new Map());
    if (node.nodePortIps !== 'all') for (const ip of node.nodePortIps) this.#want('nodeport-ips', ip, '');
  }

  /** Takes what Services have now, by `namespace/name`; undefined for one that is gone. No two may have the same frontend. */
  update(changes: ReadonlyMap<string, ServicePlan | undefined>): void {
    const wanted: Element[] = [];
    const heeds = {
      gone: (set: SetName, key: string) => this.#want(set, key, undefined),
      wanted: (set: SetName, key: string, data: string) => void wanted.push({ set, key, data }),
      share: (set: SetName, key: string, step: 1 | -1) => this.#share(set, key, step),
    };
    for (const [owner, plan] of changes) {
      changeElements(this.#plans.get(owner), plan, heeds);
      if (plan) this.#plans.set(owner, plan);
      else this.#plans.delete(owner);
    }
    // Last, since one Service may have what another has just let go.
    for (const { set, key, data } of wanted) this.#want(set, key, data);
  }

  #share(set: SetName, key: string, step: 1 | -1): void {
    const name = `${set} ${key}`;
    const count = (this.#shares.get(name) ?? 0) + step;
    if (count === 0) this.#shares.delete(name);
    else this.#shares.set(name, count);
    this.#want(set, key, count === 0 ? undefined : '');
  }

  #want(set: SetName, key: string, data: string | undefined): void {
    const wanted = this.#wanted.get(set);
    const before = wanted?.get(key);
    if (!wanted || before === data) return;
    if (data === undefined) wanted.delete(key);
    else wanted.set(key, data);
    if (this.#wasSettled) {
      const dirty = this.#dirty.get(set) ?? new Map<string, string | undefined>();
      this.#dirty.set(set, dirty);
      if (!dirty.has(key)) dirty.set(key, before);
    }
    this.#use(set, before, -1);
    this.#use(set, data, 1);
  }

  #use(set: SetName, data: string | undefined, step: 1 | -1): void {
    if (data === undefined || this.#declared.get(set)?.data?.[0] !== 'verdict') return;
    const made = this.#madeFor(data);
    if (!made) return;
    this.#chains.use(made.chain.name, step);
    if (made.set) this.#dynamicSets.use(made.set.name, step);
  }

  #madeFor(data: string): OnDemand | undefined {
    const known = this.#made.get(data);
    if (known) return known;
    const verdict = parseVerdict(data);
    const made = 'chain' in verdict ? onDemand(verdict.chain, this.#node) : undefined;
    if (made) this.#made.set(data, made);
    return made;
  }

  /**
   * The steps since the last `settled`, as transactions to be made one after the other, since one may fall into the middle of a packet's
   * way. The packet goes on with the rules that were there when it came in, but each lookup sees the elements of the moment
   * (nft_do_chain() and nft_genmask_cur() in Linux): a chain comes before what leads to it, and a slot goes after that.
   */
  changes(): Op[][] {
    const removals: Op[] = [];
    const additions: Op[] = [];
    const late: Op[] = [];
    for (const [name, keys] of this.#dirty) {
      const set = this.#declared.get(name);
      const wanted = this.#wanted.get(name);
      if (!set || !wanted) continue;
      const gone: string[] = [];
      const goneLater: string[] = [];
      const fresh: [string, string][] = [];
      for (const [key, before] of keys) {
        const now = wanted.get(key);
        if (now === before) continue;
        if (before !== undefined) (now === undefined && slotSets.has(name) ? goneLater : gone).push(key);
        if (now !== undefined) fresh.push([key, now]);
      }
      if (gone.length > 0) removals.push({ op: 'delete-elements', set, keys: gone });
      if (goneLater.length > 0) late.push({ op: 'delete-elements', set, keys: goneLater });
      if (fresh.length > 0) additions.push({ op: 'add-elements', set, elements: fresh });
    }
    const { chains, sets } = this.#onDemand();
    const [chainChanges, setChanges] = [this.#chains.changes, this.#dynamicSets.changes];
    const first: Op[] = [
      ...setChanges.fresh.flatMap((name) => sets.get(name) ?? []).map((set): Op => ({ op: 'add-set', set })),
      ...chainChanges.fresh.flatMap((name) => chains.get(name) ?? []).map((chain): Op => ({ op: 'add-chain', chain })),
    ];
    const last: Op[] = [
      ...chainChanges.gone.map((chain): Op => ({ op: 'delete-chain', chain })),
      ...setChanges.gone.map((set): Op => ({ op: 'delete-set', set })),
    ];
    // In one transaction: a value that is deleted and added again is never missing for a packet.
    return [first, [...removals, ...additions], [...late, ...last]].filter((transaction) => transaction.length > 0);
  }

  /** Says that the kernel holds what is wanted now. */
  settled(): void {
    this.#wasSettled = true;
    this.#dirty.clear();
    this.#chains.settled();
    this.#dynamicSets.settled();
    const names = new Set(this.#chains.names);
    for (const [data, { chain }] of this.#made) if (!names.has(chain.name)) this.#made.delete(data);
  }

  /** What wanted elements name, by name. */
  #onDemand(): { chains: Map<string, Chain>; sets: Map<string, SetDeclaration> } {
    const chains = new Map<string, Chain>();
    const sets = new Map<string, SetDeclaration>();
    for (const { chain, set } of this.#made.values()) {
      chains.set(chain.name, chain);
      if (set) sets.set(set.name, set);
    }
    return { chains, sets };
  }

  /** All that is wanted, as one table. */
  table(): Table {
    const { chains, sets } = this.#onDemand();
    const byName = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name, 'en', { numeric: true });
    const made = this.#chains.names.flatMap((name) => chains.get(name) ?? []).sort(byName);
    const dynamic = this.#dynamicSets.names.flatMap((name) => sets.get(name) ?? []).sort(byName);
    const fixed = chainsOf(this.#node);
    const base = fixed.filter((chain) => chain.hook);
    const plain = fixed.filter((chain) => !chain.hook);
    return {
      family: this.#node.family,
      name: tableName,
      sets: [...this.#declared.values(), ...dynamic],
      chains: [...made, ...plain, ...base],
      elements: this.#wanted,
    };
  }
}
