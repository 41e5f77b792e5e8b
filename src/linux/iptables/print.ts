import { builtInChains } from './ruleset.ts';

const builtIn: Readonly<Record<string, readonly string[]>> = builtInChains;

/** One table as `iptables-save` prints it: built-in chains first, then the others by name. */
export function printTable(table: string, chains: ReadonlyMap<string, readonly string[]>): string {
  const own = builtIn[table] ?? [];
  const names = [...own.filter((name) => chains.has(name)), ...[...chains.keys()].filter((name) => !own.includes(name)).sort()];
  const declared = names.map((name) => `:${name} ${own.includes(name) ? 'ACCEPT' : '-'} [0:0]`);
  const rules = names.flatMap((name) => (chains.get(name) ?? []).map((rule) => `-A ${name} ${rule}`.trimEnd()));
  return [`*${table}`, ...declared, ...rules, 'COMMIT', ''].join('\n');
}
