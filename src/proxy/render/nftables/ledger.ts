/**
 * Who has what. Several Services may claim the same frontend (an external address, a load balancer's) or share an element
 * (a pod behind two of them): the first by rank has it, and when the last one lets go it is gone. Gives the steps from what
 * was applied to what is wanted, touching only what changed. Plain memory, no kernel.
 */
import { parseVerdict } from '../../../linux/nftables/rule.ts';
import type { Chain, Op, SetDeclaration, Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Claim, Element } from './element.ts';
import { chainOnDemand, chainsOf, type SetName, setsOf, tableName } from './layout.ts';

interface Held extends Claim {
  readonly owner: string;
}

/** A frontend that more than one Service wants: `namespace/name` of who has it and of those who go without. */
export interface Contest {
  readonly winner: string;
  readonly losers: readonly string[];
}

/** Looked up by number, after another set has said how many there are. */
const slotSets: ReadonlySet<SetName> = new Set<SetName>(['endpoints', 'nodeport-endpoints']);

export class Ledger {
  readonly #node: NodeContext;
  readonly #declared: ReadonlyMap<string, SetDeclaration>;
  /** Who claims a name, the one who has it first. */
  readonly #claims = new Map<string, readonly Held[]>();
  readonly #owned = new Map<string, ReadonlyMap<string, Held>>();
  readonly #contests = new Map<string, Contest>();
  /** How many times a name went from one owner to another. */
  handovers = 0;
  readonly #wanted = new Map<SetName, Map<string, string>>();
  /** How many wanted elements name a chain. */
  readonly #chainUses = new Map<string, number>();
  /** Elements that may differ from what was applied: the value that the kernel has. */
  readonly #dirty = new Map<SetName, Map<string, string | undefined>>();
  readonly #dirtyChains = new Map<string, boolean>();

  constructor(node: NodeContext) {
    this.#node = node;
    const sets = setsOf(node);
    this.#declared = new Map(sets.map((set) => [set.name, set]));
    for (const set of sets) this.#wanted.set(set.name as SetName, new Map());
    if (node.nodePortIps !== 'all')
      this.put(
        'node',
        node.nodePortIps.map((key) => ({
          name: `nodeport-ips ${key}`,
          frontend: false,
          rank: '',
          elements: [{ set: 'nodeport-ips', key, data: '' }],
        })),
      );
  }

  /** Replaces everything that `owner` wants; an empty list lets go of all. Of two claims with one name the first counts. */
  put(owner: string, claims: readonly Claim[]): void {
    const next = new Map<string, Held>();
    for (const claim of claims) if (!next.has(claim.name)) next.set(claim.name, { ...claim, owner });
    const before = this.#owned.get(owner);
    if (next.size === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, next);
    for (const name of before?.keys() ?? []) if (!next.has(name)) this.#claim(name, owner, undefined);
    for (const [name, held] of next) this.#claim(name, owner, held);
  }

  /** Frontends that more than one Service claims, by name. */
  get contests(): ReadonlyMap<string, Contest> {
    return this.#contests;
  }

  #claim(name: string, owner: string, mine: Held | undefined): void {
    const before = this.#claims.get(name) ?? [];
    const after = before.filter((held) => held.owner !== owner);
    if (mine) after.push(mine);
    if (after.length > 1) after.sort((a, b) => (a.rank < b.rank ? -1 : 1));
    if (after.length === 0) this.#claims.delete(name);
    else this.#claims.set(name, after);
    const [winner, ...losers] = after;
    if (winner?.frontend && losers.length > 0) this.#contests.set(name, { winner: winner.owner, losers: losers.map((held) => held.owner) });
    else if (before.length > 1) this.#contests.delete(name);
    if (winner && before[0] && winner.owner !== before[0].owner) this.handovers++;
    const kept = new Set(winner?.elements.map((e) => `${e.set} ${e.key}`));
    for (const e of before[0]?.elements ?? []) if (!kept.has(`${e.set} ${e.key}`)) this.#want(e, undefined);
    for (const e of winner?.elements ?? []) this.#want(e, e.data);
  }

  #want({ set, key }: Element, data: string | undefined): void {
    const wanted = this.#wanted.get(set);
    const before = wanted?.get(key);
    if (!wanted || before === data) return;
    if (data === undefined) wanted.delete(key);
    else wanted.set(key, data);
    const dirty = this.#dirty.get(set) ?? new Map<string, string | undefined>();
    this.#dirty.set(set, dirty);
    if (!dirty.has(key)) dirty.set(key, before);
    this.#use(set, before, -1);
    this.#use(set, data, 1);
  }

  #use(set: SetName, data: string | undefined, step: number): void {
    if (data === undefined || this.#declared.get(set)?.data?.[0] !== 'verdict') return;
    const verdict = parseVerdict(data);
    if (!('chain' in verdict) || !chainOnDemand(verdict.chain, this.#node)) return;
    const before = this.#chainUses.get(verdict.chain) ?? 0;
    if (!this.#dirtyChains.has(verdict.chain)) this.#dirtyChains.set(verdict.chain, before > 0);
    if (before + step === 0) this.#chainUses.delete(verdict.chain);
    else this.#chainUses.set(verdict.chain, before + step);
  }

  /**
   * The steps since the last `settled`, as transactions to be made one after the other, since one may fall into the middle of a packet's
   * way. The packet goes on with the rules that were there when it came in, but each lookup sees the elements of the moment
   * (nft_do_chain() and nft_genmask_cur() in Linux): a chain comes before what leads to it, and a slot goes after that.
   */
  changes(): Op[][] {
    const chains: Op[] = [];
    const goneChains: Op[] = [];
    for (const [name, existed] of this.#dirtyChains) {
      const chain = chainOnDemand(name, this.#node);
      const wanted = this.#chainUses.has(name);
      if (!chain || wanted === existed) continue;
      if (wanted) chains.push({ op: 'add-chain', chain });
      else goneChains.push({ op: 'delete-chain', chain: name });
    }
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
    // In one transaction: a value that is deleted and added again is never missing for a packet.
    return [chains, [...removals, ...additions], [...late, ...goneChains]].filter((transaction) => transaction.length > 0);
  }

  /** Says that the kernel holds what is wanted now. */
  settled(): void {
    this.#dirty.clear();
    this.#dirtyChains.clear();
  }

  /** All that is wanted, as one table. */
  table(): Table {
    const onDemand = [...this.#chainUses.keys()].map((name) => chainOnDemand(name, this.#node)).filter((c): c is Chain => c !== undefined);
    onDemand.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
    const fixed = chainsOf(this.#node);
    const base = fixed.filter((chain) => chain.hook);
    const plain = fixed.filter((chain) => !chain.hook);
    return {
      family: this.#node.family,
      name: tableName,
      sets: [...this.#declared.values()],
      chains: [...onDemand, ...plain, ...base],
      elements: this.#wanted,
    };
  }
}
