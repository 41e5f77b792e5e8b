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
  return [
    { op: 'add-table' },
    ...phases({ family: table.family, name: table.name, chains: new Map(), sets: new Map() }, table, new Set()).flat(),
  ];
}

/** NF_IP_PRI_NAT_DST: filters that come later see what nobody has translated. */
const translationPriority = -100;

/** Whether a chain judges what was translated before it, or was not. */
export function isAfterTranslation({ hook }: Pick<Chain, 'hook'>): boolean {
  return hook?.type === 'filter' && hook.priority > translationPriority;
}

/** A packet that was on its way before there was a translation must not meet what judges it for not being translated: that comes last. */
function createPhases(want: Table): Op[][] {
  const late = want.chains.filter(isAfterTranslation);
  const first = create({ ...want, chains: want.chains.filter((chain) => !isAfterTranslation(chain)) });
  return [first, [...emptied(late), ...rulesOf(late)]].filter((ops) => ops.length > 0);
}

/**
 * The same in place of a table that cannot be changed into it (a hook, a set's type). Both tables' hooks are there while the kernel takes the transaction, the new ones
 * first and still empty: a packet between the two when it holds is translated by neither. Nobody refuses it then, as the old table's rules are gone, and what refuses in
 * the new one comes after that.
 */
export function replacePhases(want: Table): Op[][] {
  const [first = [], ...rest] = createPhases(want);
  return [[{ op: 'delete-table' }, ...first], ...rest];
}

function rulesOf(chains: readonly Chain[]): Op[] {
  return chains.flatMap(({ name, rules }) => rules.map((rule): Op => ({ op: 'add-rule', chain: name, rule })));
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

/**
 * The steps as transactions, to be made one after the other.
 *
 * A packet keeps the rules that were there when it came in, but each of its lookups sees the elements of that moment (nft_do_chain() and
 * nft_genmask_cur() in Linux). So in one transaction it can follow a new element into a chain that is still empty for it, whatever the order of
 * steps. Hence: first sets and chains, then elements, then the rules that look them up, and at last what nobody looks up any more. A new table: all but the
 * chains that refuse what nobody translated, then these.
 *
 * `lateSets` are looked up by keys that elements of other sets gave: their elements go last, too.
 */
export function diffPhases(have: KernelTable | undefined, want: Table, lateSets: ReadonlySet<string> = new Set()): Op[][] {
  if (!have) return createPhases(want);
  const unchangeable =
    want.sets.some((set) => have.sets.has(set.name) && have.sets.get(set.name)?.declaration !== declarationText(set)) ||
    want.chains.some((chain) => have.chains.has(chain.name) && !sameHook(have.chains.get(chain.name)?.hook, chain.hook));
  if (unchangeable) return replacePhases(want);
  return phases(have, want, lateSets).filter((ops) => ops.length > 0);
}

/** The same as one transaction. Elements of dynamic sets belong to the traffic and stay. */
export function diff(have: KernelTable | undefined, want: Table): Op[] {
  return diffPhases(have, want).flat();
}

function phases(have: KernelTable, want: Table, lateSets: ReadonlySet<string>): Op[][] {
  const fresh = want.chains.filter((chain) => !have.chains.has(chain.name));
  const rewritten = want.chains.filter((chain) => {
    const held = have.chains.get(chain.name);
    return held !== undefined && !sameRules(held, chain);
  });
  const wantedChains = new Set(want.chains.map((chain) => chain.name));
  const wantedSets = new Set(want.sets.map((set) => set.name));
  const goneChains = [...have.chains.keys()].filter((name) => !wantedChains.has(name));
  const goneSets = [...have.sets.keys()].filter((name) => !wantedSets.has(name));
  // A base chain sees packets as soon as it is there.
  const [base, plain] = [fresh.filter((chain) => chain.hook), fresh.filter((chain) => !chain.hook)];

  const removals: Op[] = [];
  const additions: Op[] = [];
  const late: Op[] = [];
  // Nobody looks into a new set yet: it is full when elements of others lead there.
  const filled: Op[] = [];
  for (const set of want.sets) {
    if (set.dynamic) continue;
    if (!have.sets.has(set.name)) {
      filled.push(...addElements(set, [...(want.elements.get(set.name) ?? none)]));
      continue;
    }
    const elements = diffElements(have.sets.get(set.name)?.elements ?? none, want.elements.get(set.name) ?? none);
    // In one transaction: a value that is deleted and added again is never missing for a packet.
    removals.push(...deleteElements(set, lateSets.has(set.name) ? elements.changed : [...elements.gone, ...elements.changed]));
    if (lateSets.has(set.name)) late.push(...deleteElements(set, elements.gone));
    additions.push(...addElements(set, elements.fresh));
  }
  return [
    [
      ...want.sets.filter((set) => !have.sets.has(set.name)).map((set): Op => ({ op: 'add-set', set })),
      ...emptied(plain),
      ...rulesOf(plain),
      ...filled,
    ],
    [...removals, ...additions],
    [...rewritten.map(({ name }): Op => ({ op: 'flush-chain', chain: name })), ...emptied(base), ...rulesOf([...rewritten, ...base])],
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
