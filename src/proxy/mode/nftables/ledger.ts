/**
 * The elements that all Services want together. Gives the steps from what was applied to what is wanted, touching only what changed.
 * Plain memory, no kernel.
 */
import { compareNames } from '../../../linux/nftables/compare-names.ts';
import { elementPhases, type SetChange } from '../../../linux/nftables/diff.ts';
import { parseVerdict } from '../../../linux/nftables/rule.ts';
import type { Chain, Elements, Op, SetDeclaration, Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { noUses, UseCount } from '../use-count.ts';
import { dropVerdict } from './counting.ts';
import { changeElements, type Element, type ElementChanges, SlotElements } from './element.ts';
import { chainsOf, type OnDemand, onDemand, order, type SetName, type SlotSet, setsOf, slotSets, tableName } from './layout.ts';
import type { SlottedPlan } from './slots.ts';

interface Slot {
  readonly set: SlotSet;
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Chains and sets by name. */
interface Made {
  readonly chains: Map<string, Chain>;
  readonly sets: Map<string, SetDeclaration>;
  /** Of sets that rules do not fill. */
  readonly elements: Map<string, Elements>;
}

interface ChainChanges {
  readonly first: readonly Op[];
  readonly last: readonly Op[];
}

const noChains: ChainChanges = { first: [], last: [] };

const nothingMade: Made = { chains: new Map(), sets: new Map(), elements: new Map() };

export class Ledger {
  readonly #node: NodeContext;
  readonly #sets: readonly SetDeclaration[];
  readonly #declared: ReadonlyMap<string, SetDeclaration>;
  readonly #plans = new Map<string, SlottedPlan>();
  /** Elements but those of slots, which the plans have. */
  readonly #wanted = new Map<SetName, Map<string, string>>();
  /** How many Services want an element that they may share. */
  readonly #shares = new Map<string, number>();
  /** Chains that wanted elements name, and the sets that their rules fill or look into. */
  readonly #chains = new UseCount();
  readonly #madeSets = new UseCount();
  /** By the data of elements. */
  readonly #made = new Map<string, OnDemand>();
  /** Elements that may differ from what was applied: the value that the kernel has. */
  readonly #dirty = new Map<SetName, Map<string, string | undefined>>();
  /** The same of slots: what the kernel has, and what is wanted. */
  readonly #dirtySlots = new Map<SetName, Map<string, Slot>>();
  /** Before the first `settled` nothing is known of the kernel, and everything is compared. */
  #wasSettled = false;

  constructor(node: NodeContext) {
    this.#node = node;
    const sets = setsOf(node);
    this.#sets = sets;
    this.#declared = new Map(sets.map((set) => [set.name, set]));
    for (const { name } of sets) if (!slotSets.has(name)) this.#wanted.set(name as SetName, new Map());
    if (node.nodePortIps !== 'all') for (const ip of node.nodePortIps) this.#want('nodeport-ips', ip, '');
  }

  /** Takes what Services have now, by `namespace/name`; undefined for one that is gone. No two may have the same frontend. */
  update(changes: ReadonlyMap<string, SlottedPlan | undefined>): void {
    const wanted: Element[] = [];
    const taken: Slot[] = [];
    const heeds: ElementChanges = {
      gone: (set, key) => this.#want(set, key, undefined),
      wanted: (element) => void wanted.push(element.data === 'drop' ? { ...element, data: dropVerdict(this.#node) } : element),
      slot: (set, key, before, after) => {
        if (!this.#wasSettled) return;
        if (after === undefined) this.#noteSlot({ set, key, before, after });
        else taken.push({ set, key, before, after });
      },
      share: (element, step) => this.#share(element, step),
    };
    for (const [owner, plan] of changes) {
      changeElements(this.#plans.get(owner), plan, heeds);
      if (plan) this.#plans.set(owner, plan);
      else this.#plans.delete(owner);
    }
    // Last, since one Service may have what another has just let go.
    for (const { set, key, data, ranges } of wanted) this.#want(set, key, data, ranges);
    for (const slot of taken) this.#noteSlot(slot);
  }

  #noteSlot(slot: Slot): void {
    const dirty = this.#dirtySlots.get(slot.set) ?? new Map<string, Slot>();
    this.#dirtySlots.set(slot.set, dirty);
    const known = dirty.get(slot.key);
    dirty.set(slot.key, known ? { ...slot, before: known.before } : slot);
  }

  #share({ set, key, data }: Element, step: 1 | -1): void {
    const name = `${set} ${key}`;
    const count = (this.#shares.get(name) ?? 0) + step;
    if (count === 0) this.#shares.delete(name);
    else this.#shares.set(name, count);
    this.#want(set, key, count === 0 ? undefined : data);
  }

  #want(set: SetName, key: string, data: string | undefined, ranges?: readonly string[]): void {
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
    this.#use(set, data, 1, ranges);
  }

  #use(set: SetName, data: string | undefined, step: 1 | -1, ranges?: readonly string[]): void {
    if (data === undefined || this.#declared.get(set)?.data?.[0] !== 'verdict') return;
    const made = this.#madeFor(data, ranges);
    if (!made) return;
    this.#chains.use(made.chain.name, step);
    if (made.set) this.#madeSets.use(made.set.name, step);
  }

  #madeFor(data: string, ranges: readonly string[] | undefined): OnDemand | undefined {
    const known = this.#made.get(data);
    if (known) return known;
    const verdict = parseVerdict(data);
    const made = 'chain' in verdict ? onDemand(verdict.chain, this.#node, ranges) : undefined;
    if (made) this.#made.set(data, made);
    return made;
  }

  /**
   * The steps since the last `settled`, as transactions to be made one after the other, since one may fall into the middle of a packet's
   * way. The packet goes on with the rules that were there when it came in, but each lookup sees the elements of the moment
   * (nft_do_chain() and nft_genmask_cur() in Linux): a chain comes before what leads to it, and a slot goes after that. What shuts out comes before
   * what lets in, and goes after it: a packet may have met the former before a transaction, and meets the latter behind it.
   */
  changes(): Op[][] {
    // Most changes touch few sets, and no chain.
    const dirty = this.#sets.filter(({ name }) => this.#dirty.has(name as SetName) || this.#dirtySlots.has(name as SetName));
    const { guards, others, gone, guardsGone, late } = elementPhases(
      dirty.map((set) => this.#changesOf(set)),
      order,
    );
    const { first, last } = this.#chainChanges();
    return [first, guards, [...gone, ...others], guardsGone, [...late, ...last]].flatMap((ops) => (ops.length > 0 ? [[...ops]] : []));
  }

  /** Chains and their sets: those that elements are to name, and those that none names any more. */
  #chainChanges(): ChainChanges {
    const [chainChanges, setChanges] = [this.#chains.changes, this.#madeSets.changes];
    if (chainChanges === noUses && setChanges === noUses) return noChains;
    const isFresh = chainChanges.fresh.length > 0 || setChanges.fresh.length > 0;
    const { chains, sets, elements } = isFresh ? this.#onDemand() : nothingMade;
    const fill = (set: SetDeclaration): Op[] => {
      const inside = [...(elements.get(set.name) ?? [])];
      return [{ op: 'add-set', set }, ...(inside.length > 0 ? [{ op: 'add-elements', set, elements: inside } as const] : [])];
    };
    return {
      first: [
        ...setChanges.fresh.flatMap((name) => sets.get(name) ?? []).flatMap(fill),
        ...chainChanges.fresh.flatMap((name) => chains.get(name) ?? []).map((chain): Op => ({ op: 'add-chain', chain })),
      ],
      last: [
        ...chainChanges.gone.map((chain): Op => ({ op: 'delete-chain', chain })),
        ...setChanges.gone.map((set): Op => ({ op: 'delete-set', set })),
      ],
    };
  }

  #changesOf(set: SetDeclaration): SetChange {
    const [gone, changed]: [string[], string[]] = [[], []];
    const fresh: [string, string][] = [];
    for (const [key, before, now] of this.#dirtyOf(set.name as SetName)) {
      if (now === before) continue;
      if (before !== undefined) (now === undefined ? gone : changed).push(key);
      if (now !== undefined) fresh.push([key, now]);
    }
    return { set, gone, changed, fresh };
  }

  *#dirtyOf(set: SetName): Generator<readonly [key: string, before: string | undefined, now: string | undefined]> {
    for (const [key, before] of this.#dirty.get(set) ?? []) yield [key, before, this.#wanted.get(set)?.get(key)];
    for (const { key, before, after } of this.#dirtySlots.get(set)?.values() ?? []) yield [key, before, after];
  }

  /** Says that the kernel holds what is wanted now. */
  settled(): void {
    this.#wasSettled = true;
    this.#dirty.clear();
    this.#dirtySlots.clear();
    this.#chains.settled();
    this.#madeSets.settled();
    for (const [data, { chain }] of this.#made) if (!this.#chains.has(chain.name)) this.#made.delete(data);
  }

  /** What wanted elements name, by name. */
  #onDemand(): Made {
    const chains = new Map<string, Chain>();
    const sets = new Map<string, SetDeclaration>();
    const elements = new Map<string, Elements>();
    for (const { chain, set, ranges } of this.#made.values()) {
      chains.set(chain.name, chain);
      if (set) sets.set(set.name, set);
      if (set && ranges) elements.set(set.name, new Map(ranges.map((range) => [range, ''] as const)));
    }
    return { chains, sets, elements };
  }

  /** All that is wanted, as one table. */
  table(): Table {
    const { chains, sets, elements } = this.#onDemand();
    const byName = (a: { name: string }, b: { name: string }): number => compareNames(a.name, b.name);
    const made = this.#chains.names.flatMap((name) => chains.get(name) ?? []).sort(byName);
    const madeSets = this.#madeSets.names.flatMap((name) => sets.get(name) ?? []).sort(byName);
    const fixed = chainsOf(this.#node);
    const base = fixed.filter((chain) => chain.hook);
    const plain = fixed.filter((chain) => !chain.hook);
    return {
      family: this.#node.family,
      name: tableName,
      sets: [...this.#declared.values(), ...madeSets],
      chains: [...made, ...plain, ...base],
      elements: new Map<string, Elements>([
        ...this.#wanted,
        ...madeSets.flatMap(({ name }) => [[name, elements.get(name) ?? new Map<string, string>()] as const]),
        ...[...slotSets].map((set) => [set, new SlotElements(this.#plans, set as SlotSet)] as const),
      ]),
    };
  }
}
