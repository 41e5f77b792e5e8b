/** Tables of iptables as text. Pure. */
import { canonicalRule } from './rule.ts';
import { builtInChains, type Ruleset } from './ruleset.ts';
import type { Chains, RuleEdit, Section } from './section.ts';

const builtIn: Readonly<Record<string, readonly string[]>> = builtInChains;

/** One table as `iptables-save` prints it: built-in chains first, then the others by name. */
export function printTable(table: string, chains: ReadonlyMap<string, readonly string[]>): string {
  const own = builtIn[table] ?? [];
  const names = [...own.filter((name) => chains.has(name)), ...[...chains.keys()].filter((name) => !own.includes(name)).sort()];
  const declared = names.map((name) => `:${name} ${own.includes(name) ? 'ACCEPT' : '-'} [0:0]`);
  const rules = names.flatMap((name) => (chains.get(name) ?? []).map((rule) => `-A ${name} ${rule}`.trimEnd()));
  return [`*${table}`, ...declared, ...rules, 'COMMIT', ''].join('\n');
}

/** All tables. */
export function printRuleset(rules: Ruleset): string {
  return [...rules]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([table, chains]) => printTable(table, chains))
    .join('');
}

/** One change of a rule or a chain as words behind `iptables`. */
export interface RuleCommand {
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
  readonly text: string;
}

function command(table: string, verb: string, chain: string, rule = ''): RuleCommand {
  return { table, chain, rule, text: `-t ${table} -${verb} ${chain} ${rule}`.trimEnd() };
}

/** How a chain that is held comes to hold these rules alone; nothing when it does but for the words. */
function* filled(table: string, chain: string, held: readonly string[] | undefined, rules: readonly string[]): Generator<RuleCommand> {
  const [had, wanted] = [(held ?? []).map(canonicalRule), rules.map(canonicalRule)];
  if (held && had.length === wanted.length && had.every((rule, i) => rule === wanted[i])) return;
  if (!held) yield command(table, 'N', chain);
  const gone = (held ?? []).filter((_, i) => !wanted.includes(had[i] ?? ''));
  const fresh = rules.filter((_, i) => !had.includes(wanted[i] ?? ''));
  for (const rule of gone) yield command(table, 'D', chain, rule);
  for (const rule of fresh) yield command(table, 'A', chain, rule);
  if (gone.length + fresh.length > 0 || !held) return;
  // The same rules in another order, or one of them twice.
  yield command(table, 'F', chain);
  for (const rule of rules) yield command(table, 'A', chain, rule);
}

function edited(table: string, chain: string, edit: RuleEdit): RuleCommand {
  if (edit.kind === 'remove') return command(table, 'D', chain, String(edit.at));
  return { ...command(table, edit.kind === 'insert' ? 'I' : 'R', chain, `${edit.at} ${edit.rule}`), rule: edit.rule };
}

const noChains: Chains = new Map();
const noEdits: Required<Section>['edit'] = new Map();

/** What sections change of the rules that are held, rule by rule. */
export function* changesOf(held: Ruleset, sections: Iterable<Section>): Generator<RuleCommand> {
  for (const { table, fill = noChains, edit = noEdits, remove = noChains, insert = noChains, drop = [] } of sections) {
    const chains = held.get(table);
    for (const [chain, rules] of fill) yield* filled(table, chain, chains?.get(chain), rules);
    for (const [chain, edits] of edit) yield* edits.map((one) => edited(table, chain, one));
    for (const [chain, rules] of remove) yield* rules.map((rule) => command(table, 'D', chain, rule));
    for (const [chain, rules] of insert) yield* rules.map((rule) => command(table, 'I', chain, rule));
    for (const chain of drop) {
      yield* filled(table, chain, chains?.get(chain), []);
      yield command(table, 'X', chain);
    }
  }
}
