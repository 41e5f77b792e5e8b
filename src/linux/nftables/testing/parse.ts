/** Reads the text of a table back: what `printTable` wrote, and golden files. Not every form of nft. */
import { parseRule } from '../rule.ts';
import type { Chain, ChainHook, Hook, SetDeclaration, Table, TableFamily } from '../table.ts';

const namedPriorities: Readonly<Record<string, number>> = { dstnat: -100, srcnat: 100, filter: 0 };

function parseHook(line: string): Hook | undefined {
  const match = /^type (filter|nat) hook (\w+) priority (\S+)(?: ([+-]) (\d+))?; policy accept;$/.exec(line);
  if (!match) return undefined;
  const [, type, hook, base = '', sign, step = '0'] = match;
  const priority = (namedPriorities[base] ?? Number(base)) + (sign === '-' ? -1 : 1) * Number(step);
  return { type: type as Hook['type'], hook: hook as ChainHook, priority };
}

function parseChain(name: string, lines: readonly string[]): Chain {
  const hook = parseHook(lines[0] ?? '');
  const rules = hook ? lines.slice(1) : [...lines];
  // A rule that cannot be read must not pass for one that can.
  for (const rule of rules) parseRule(rule);
  return { name, rules, ...(hook ? { hook } : {}) };
}

function parseSet(name: string, lines: readonly string[]): [SetDeclaration, Map<string, string>] {
  const elements = new Map<string, string>();
  let set: SetDeclaration = { name, key: [] };
  const text = lines.join(' ');
  const types = /^(type|typeof) (.*?)(?= size | flags | elements |$)/.exec(text);
  const [key = '', data] = (types?.[2] ?? '').split(' : ');
  set = { ...set, key: key.split(' . '), ...(data === undefined ? {} : { data: data.split(' . ') }) };
  if (types?.[1] === 'typeof') set = { ...set, typeof: true };
  const size = /(?:^| )size (\d+)/.exec(text)?.[1];
  if (text.includes('flags dynamic')) set = { ...set, dynamic: { size: Number(size) } };
  if (text.includes('flags interval')) set = { ...set, interval: true };
  for (const element of /elements = \{ (.*) \}$/.exec(text)?.[1]?.split(/,\s+/) ?? []) {
    const [elementKey = '', elementData = ''] = element.split(' : ');
    elements.set(elementKey, elementData);
  }
  return [set, elements];
}

/** Throws SyntaxError when the text is no table or holds a rule that is not known here. */
export function parseTable(text: string): Table {
  const lines = text.split('\n').map((line) => line.trim());
  const [, family, name] = /^table (ip6?) (\S+) \{$/.exec(lines[0] ?? '') ?? [];
  if (!name) throw new SyntaxError(`Cannot read "${lines[0] ?? ''}": not a table of family ip or ip6`);
  const chains: Chain[] = [];
  const sets: SetDeclaration[] = [];
  const elements = new Map<string, Map<string, string>>();
  for (let i = 1; i < lines.length; i++) {
    const head = /^(chain|set|map) (\S+) \{$/.exec(lines[i] ?? '');
    if (!head) continue;
    const body: string[] = [];
    while (lines[++i] !== '}' && i < lines.length) body.push(lines[i] ?? '');
    const [, kind, title = ''] = head;
    if (kind === 'chain') chains.push(parseChain(title, body));
    else {
      const [set, held] = parseSet(title, body);
      sets.push(set);
      elements.set(title, held);
    }
  }
  return { family: family as TableFamily, name, chains, sets, elements };
}
