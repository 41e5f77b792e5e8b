/**
 * Who wants which element. Several Services may want the same one (a pod behind two of them, an address claimed twice):
 * the oldest Service decides its value, and it goes when the last one lets go. Gives the steps from what was applied to
 * what is wanted, touching only what changed. Plain memory, no kernel.
 */
import { parseVerdict } from '../../../linux/nftables/rule.ts';
import type { Chain, Op, SetDeclaration, Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Element } from './element.ts';
import { chainOnDemand, chainsOf, type SetName, setsOf, tableName } from './layout.ts';

interface Claim {
  readonly owner: string;
  readonly rank: string;
  readonly data: string;
}

export class Ledger {
  readonly #node: NodeContext;
  readonly #declared: ReadonlyMap<string, SetDeclaration>;
  readonly #claims = new Map<SetName, Map<string, Claim[]>>();
  readonly #owned = new Map<string, readonly Element[]>();
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
        '',
        node.nodePortIps.map((ip) => ({ set: 'nodeport-ips', key: ip, data: '' })),
      );
  }

  /** Replaces everything that `owner` wants; an empty list lets go of all. */
  put(owner: string, rank: string, elements: readonly Element[]): void {
    const before = this.#owned.get(owner) ?? [];
    if (elements.length === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, elements);
    const next = new Map(elements.map((e) => [`${e.set} ${e.key}`, e]));
    for (const e of before) if (!next.has(`${e.set} ${e.key}`)) this.#claim(e, owner, undefined);
    for (const e of next.values()) this.#claim(e, owner, { owner, rank, data: e.data });
  }

  #claim({ set, key }: Element, owner: string, claim: Claim | undefined): void {
    const ofSet = this.#claims.get(set) ?? new Map<string, Claim[]>();
    this.#claims.set(set, ofSet);
    const others = (ofSet.get(key) ?? []).filter((c) => c.owner !== owner);
    const claims = claim ? [...others, claim] : others;
    if (claims.length === 0) ofSet.delete(key);
    else ofSet.set(key, claims);
    let winner: Claim | undefined;
    for (const c of claims) if (!winner || c.rank < winner.rank) winner = c;
    this.#want(set, key, winner?.data);
  }

  #want(set: SetName, key: string, data: string | undefined): void {
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

  /** The steps since the last `settled`. */
  changes(): Op[] {
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
    for (const [name, keys] of this.#dirty) {
      const set = this.#declared.get(name);
      const wanted = this.#wanted.get(name);
      if (!set || !wanted) continue;
      const gone: string[] = [];
      const fresh: [string, string][] = [];
      for (const [key, before] of keys) {
        const now = wanted.get(key);
        if (now === before) continue;
        if (before !== undefined) gone.push(key);
        if (now !== undefined) fresh.push([key, now]);
      }
      if (gone.length > 0) removals.push({ op: 'delete-elements', set, keys: gone });
      if (fresh.length > 0) additions.push({ op: 'add-elements', set, elements: fresh });
    }
    // The whole is one transaction: a value that is deleted and added again is never missing for a packet.
    return [...chains, ...removals, ...additions, ...goneChains];
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
