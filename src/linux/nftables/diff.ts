/** The steps from what the kernel holds to what is wanted. Pure. */
import { declarationText } from './set.ts';
import type { Chain, Hook, KernelChain, KernelTable, Op, SetDeclaration, Table } from './table.ts';

function sameHook(a: Hook | undefined, b: Hook | undefined): boolean {
  return a?.type === b?.type && a?.hook === b?.hook && a?.priority === b?.priority;
}

function sameRules(have: KernelChain, want: Chain): boolean {
  return have.rules.length === want.rules.length && want.rules.every((text, i) => have.rules[i]?.is(text) === true);
}

/** The steps that build a table from nothing, in an order that the kernel takes: what is named comes before who names it. */
export function create(table: Table): Op[] {
  const ops: Op[] = [{ op: 'add-table' }];
  for (const set of table.sets) ops.push({ op: 'add-set', set });
  for (const chain of table.chains) ops.push({ op: 'add-chain', chain: { ...chain, rules: [] } });
  // Elements first: a packet that meets the new rules must find them.
  for (const set of table.sets) ops.push(...addElements(set, table.elements.get(set.name) ?? new Map()));
  for (const chain of table.chains) for (const rule of chain.rules) ops.push({ op: 'add-rule', chain: chain.name, rule });
  return ops;
}

function addElements(set: SetDeclaration, elements: ReadonlyMap<string, string>): Op[] {
  return elements.size === 0 ? [] : [{ op: 'add-elements', set, elements: [...elements] }];
}

/** Element steps of one set. A changed value is deleted and added in one transaction, so no packet sees neither. */
function diffElements(
  set: SetDeclaration,
  have: ReadonlyMap<string, string>,
  want: ReadonlyMap<string, string>,
): { remove: Op[]; add: Op[] } {
  const gone: string[] = [];
  const fresh: [string, string][] = [];
  for (const [key, data] of have) if (want.get(key) !== data) gone.push(key);
  for (const [key, data] of want) if (have.get(key) !== data) fresh.push([key, data]);
  return {
    remove: gone.length === 0 ? [] : [{ op: 'delete-elements', set, keys: gone }],
    add: fresh.length === 0 ? [] : [{ op: 'add-elements', set, elements: fresh }],
  };
}

/**
 * Compares a table with the kernel's. Elements of dynamic sets belong to the traffic and stay. Something that cannot be
 * changed in place (a hook, a set's type) makes the whole table new, still in one transaction.
 */
export function diff(have: KernelTable | undefined, want: Table): Op[] {
  if (!have) return create(want);
  const unchangeable =
    want.sets.some((set) => have.sets.has(set.name) && have.sets.get(set.name)?.declaration !== declarationText(set)) ||
    want.chains.some((chain) => have.chains.has(chain.name) && !sameHook(have.chains.get(chain.name)?.hook, chain.hook));
  if (unchangeable) return [{ op: 'delete-table' }, ...create(want)];

  const ops: Op[] = [];
  const late: Op[] = [];
  for (const set of want.sets) if (!have.sets.has(set.name)) ops.push({ op: 'add-set', set });
  for (const chain of want.chains) if (!have.chains.has(chain.name)) ops.push({ op: 'add-chain', chain: { ...chain, rules: [] } });
  const wantedChains = new Set(want.chains.map((chain) => chain.name));
  const wantedSets = new Set(want.sets.map((set) => set.name));
  const goneChains = [...have.chains.keys()].filter((name) => !wantedChains.has(name));
  const goneSets = [...have.sets.keys()].filter((name) => !wantedSets.has(name));
  const rewritten = want.chains.filter((chain) => {
    const held = have.chains.get(chain.name);
    return held !== undefined && !sameRules(held, chain);
  });
  // Rules go before the sets and chains that they name.
  for (const chain of [...rewritten.map((c) => c.name), ...goneChains]) ops.push({ op: 'flush-chain', chain });
  for (const set of want.sets) {
    if (set.dynamic) continue;
    const held = have.sets.get(set.name)?.elements ?? new Map<string, string>();
    const { remove, add } = diffElements(set, held, want.elements.get(set.name) ?? new Map<string, string>());
    ops.push(...remove);
    late.push(...add);
  }
  ops.push(...late);
  for (const chain of [...rewritten, ...want.chains.filter((c) => !have.chains.has(c.name))])
    for (const rule of chain.rules) ops.push({ op: 'add-rule', chain: chain.name, rule });
  for (const set of goneSets) ops.push({ op: 'delete-set', set });
  for (const chain of goneChains) ops.push({ op: 'delete-chain', chain });
  return ops;
}
