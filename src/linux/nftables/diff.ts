/** The steps from what the kernel holds to what is wanted. Pure. */
import { declarationText } from './set.ts';
import type { Chain, Elements, Hook, KernelChain, KernelTable, Op, SetDeclaration, Table } from './table.ts';

function sameHook(a: Hook | undefined, b: Hook | undefined): boolean {
  return a?.type === b?.type && a?.hook === b?.hook && a?.priority === b?.priority;
}

function sameRules(have: KernelChain, want: Chain): boolean {
  return have.rules.length === want.rules.length && want.rules.every((text, i) => have.rules[i]?.is(text) === true);
}

/** The steps that build a table from nothing, in an order that the kernel takes: what is named comes before who names it. */
export function create(table: Table): Op[] {
  return [{ op: 'add-table' }, ...phases({ family: table.family, name: table.name, chains: new Map(), sets: new Map() }, table, {}).flat()];
}

/** NF_IP_PRI_NAT_DST: filters that come later see what nobody has translated. */
const translationPriority = -100;

/** Whether a chain judges what was translated before it, or was not. */
export function isAfterTranslation({ hook }: Pick<Chain, 'hook'>): boolean {
  return hook?.type === 'filter' && hook.priority > translationPriority;
}

/** What is made of a table that is not there, in this order. */
interface Parts {
  /** Sets, and what judges packets before they are translated. A packet between two hooks has met a part of the table: what shuts out is there before what lets in. */
  readonly first: readonly Op[];
  readonly translating: readonly Op[];
  /** A packet that was on its way before there was a translation must not meet what judges it for not being translated. */
  readonly late: readonly Op[];
}

function partsOf(want: Table): Parts {
  const late = want.chains.filter(isAfterTranslation);
  const translating = want.chains.filter(({ hook }) => hook?.type === 'nat');
  const first = create({ ...want, chains: want.chains.filter((chain) => !late.includes(chain) && !translating.includes(chain)) });
  return { first, translating: chainsAnew(translating), late: chainsAnew(late) };
}

function chainsAnew(chains: readonly Chain[]): Op[] {
  return [...emptied(chains), ...rulesOf(chains)];
}

/**
 * A table in place of one that cannot be changed into it (a hook, a set's type). Both tables' hooks are there while the kernel takes the transaction, the new ones
 * first and still empty: a packet between the two when it holds is translated by neither. Nobody refuses it then, as the old table's rules are gone, and what refuses in
 * the new one comes after that.
 */
export function replacePhases(want: Table): Op[][] {
  const { first, translating, late } = partsOf(want);
  return inOrder([{ op: 'delete-table' }, ...first, ...translating], late);
}

/** Transactions that say something. */
function inOrder(...transactions: readonly (readonly Op[])[]): Op[][] {
  return transactions.flatMap((ops) => (ops.length > 0 ? [[...ops]] : []));
}

function rulesOf(chains: readonly Chain[]): Op[] {
  return chains.flatMap(({ name, rules }) => rules.map((rule): Op => ({ op: 'add-rule', chain: name, rule })));
}

function rulesAnew(chains: readonly Chain[]): Op[] {
  return [...chains.map(({ name }): Op => ({ op: 'flush-chain', chain: name })), ...rulesOf(chains)];
}

/** Chains without their rules. */
function emptied(chains: readonly Chain[]): Op[] {
  return chains.map((chain) => ({ op: 'add-chain', chain: { ...chain, rules: [] } }));
}

function addElements(set: SetDeclaration, elements: readonly (readonly [string, string])[]): Op[] {
  return elements.length === 0 ? [] : [{ op: 'add-elements', set, elements }];
}

function deleteElements(set: SetDeclaration, keys: readonly string[]): Op[] {
  return keys.length === 0 ? [] : [{ op: 'delete-elements', set, keys }];
}

/** Elements of one set that go, and those that come: a changed value is among both. */
function diffElements(have: Elements, want: Elements): { gone: string[]; changed: string[]; fresh: (readonly [string, string])[] } {
  const changed: string[] = [];
  const fresh: (readonly [string, string])[] = [];
  let same = 0;
  for (const [key, data] of want) {
    const held = have.get(key);
    if (held === data) same++;
    else fresh.push([key, data]);
    if (held !== undefined && held !== data) changed.push(key);
  }
  const isAll = same + changed.length === have.size;
  return { gone: isAll ? [] : [...have.keys()].filter((key) => !want.has(key)), changed, fresh };
}

/** Which names mean something for the order of steps. */
export interface Order {
  /** Sets that are looked up by keys that elements of other sets gave. */
  readonly late?: ReadonlySet<string>;
  /** Sets and chains by which packets are shut out before they are translated. */
  readonly guards?: ReadonlySet<string>;
}

/**
 * The steps as transactions, to be made one after the other.
 *
 * A packet keeps the rules that were there when it came in, but each of its lookups sees the elements of that moment (nft_do_chain() and
 * nft_genmask_cur() in Linux). So in one transaction it can follow a new element into a chain that is still empty for it, whatever the order of
 * steps. Hence: first sets and chains, then elements that come, then the rules that look them up, then elements that go, and at last what nobody looks up any more. A new
 * table: what judges before the translation, the translation, and what refuses whom nobody translated.
 *
 * What shuts out is there before what lets in, and goes after it: elements of guards come before all others and go behind them, and until the
 * others are there a guard's new rules stand beside the old ones. Who is let in by both meets neither.
 */
export function diffPhases(have: KernelTable | undefined, want: Table, order: Order = {}): Op[][] {
  if (!have) {
    const { first, translating, late } = partsOf(want);
    return inOrder(first, translating, late);
  }
  const unchangeable =
    want.sets.some((set) => have.sets.has(set.name) && have.sets.get(set.name)?.declaration !== declarationText(set)) ||
    want.chains.some((chain) => have.chains.has(chain.name) && !sameHook(have.chains.get(chain.name)?.hook, chain.hook));
  if (unchangeable) return replacePhases(want);
  return inOrder(...phases(have, want, order));
}

/** The same as one transaction. Elements of dynamic sets belong to the traffic and stay. */
export function diff(have: KernelTable | undefined, want: Table): Op[] {
  return have ? diffPhases(have, want).flat() : create(want);
}

/** What changes in a set that is there. */
export interface SetChange {
  readonly set: SetDeclaration;
  readonly gone: readonly string[];
  /** Keys of another value, which is among `fresh`. */
  readonly changed: readonly string[];
  readonly fresh: readonly (readonly [key: string, data: string])[];
}

/** The steps for elements, each a part of a transaction. */
interface ElementPhases {
  readonly guards: readonly Op[];
  readonly others: readonly Op[];
  /** In one transaction with the others, unless rules come between them. */
  readonly gone: readonly Op[];
  readonly guardsGone: readonly Op[];
  readonly late: readonly Op[];
}

export function elementPhases(changes: readonly SetChange[], { late = noNames, guards = noNames }: Order): ElementPhases {
  const [isLate, isGuard] = [({ set }: SetChange) => late.has(set.name), ({ set }: SetChange) => guards.has(set.name)];
  // In one transaction: a value that is deleted and added again is never missing for a packet.
  const exchanged = (some: readonly SetChange[]): Op[] => [
    ...some.flatMap(({ set, changed }) => deleteElements(set, changed)),
    ...some.flatMap(({ set, fresh }) => addElements(set, fresh)),
  ];
  const removed = (some: readonly SetChange[]): Op[] => some.flatMap(({ set, gone }) => deleteElements(set, gone));
  return {
    guards: exchanged(changes.filter(isGuard)),
    others: exchanged(changes.filter((one) => !isGuard(one))),
    gone: removed(changes.filter((one) => !isGuard(one) && !isLate(one))),
    guardsGone: removed(changes.filter((one) => isGuard(one) && !isLate(one))),
    late: removed(changes.filter(isLate)),
  };
}

function setChanges(have: KernelTable, want: Table): SetChange[] {
  return want.sets.flatMap((set) => {
    const held = have.sets.get(set.name);
    return set.dynamic || !held ? [] : { set, ...diffElements(held.elements, want.elements.get(set.name) ?? none) };
  });
}

/** New sets with what is in them. Nobody looks there yet: they are full when elements of others lead there. */
function filledSets(have: KernelTable, want: Table): [sets: Op[], elements: Op[]] {
  const fresh = want.sets.filter((set) => !have.sets.has(set.name));
  return [
    fresh.map((set) => ({ op: 'add-set', set })),
    fresh.flatMap((set) => (set.dynamic ? [] : addElements(set, [...(want.elements.get(set.name) ?? none)]))),
  ];
}

function phases(have: KernelTable, want: Table, order: Order): Op[][] {
  const fresh = want.chains.filter((chain) => !have.chains.has(chain.name));
  const rewritten = want.chains.filter((chain) => {
    const held = have.chains.get(chain.name);
    return held !== undefined && !sameRules(held, chain);
  });
  const wantedChains = new Set(want.chains.map((chain) => chain.name));
  const wantedSets = new Set(want.sets.map((set) => set.name));
  const goneChains = [...have.chains.keys()].filter((name) => !wantedChains.has(name));
  const goneSets = [...have.sets.keys()].filter((name) => !wantedSets.has(name));
  const isGuard = ({ name }: Chain): boolean => order.guards?.has(name) ?? false;
  // A base chain sees packets as soon as it is there.
  const [base, plain] = [fresh.filter((chain) => chain.hook), fresh.filter((chain) => !chain.hook)];
  const [newSets, filled] = filledSets(have, want);
  const { guards, others, gone, guardsGone, late } = elementPhases(setChanges(have, want), order);
  const [guarding, serving] = [rewritten.filter(isGuard), rewritten.filter((chain) => !isGuard(chain))];
  // Rules that are there look up what goes, and those that come may serve without it.
  const goesFirst = serving.length === 0;
  return [
    [...newSets, ...chainsAnew(plain), ...filled],
    [...guards, ...rulesOf(guarding), ...chainsAnew(base.filter(isGuard))],
    [...(goesFirst ? gone : []), ...others],
    [...rulesAnew(serving), ...chainsAnew(base.filter((chain) => !isGuard(chain)))],
    goesFirst ? [] : [...gone],
    rulesAnew(guarding),
    [...guardsGone],
    [
      ...late,
      // Rules go before the sets and chains that they name.
      ...goneChains.map((chain): Op => ({ op: 'flush-chain', chain })),
      ...goneSets.map((set): Op => ({ op: 'delete-set', set })),
      ...goneChains.map((chain): Op => ({ op: 'delete-chain', chain })),
    ],
  ];
}

const none: Elements = new Map();
const noNames: ReadonlySet<string> = new Set();
