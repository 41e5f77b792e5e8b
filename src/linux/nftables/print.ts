/** A table in nft's own syntax: what `nft -f` takes. Sets before chains, everything in a stable order. */
import type { Chain, Elements, Hook, SetDeclaration, Table } from './table.ts';

const priorityNames: Readonly<Record<number, string>> = { [-100]: 'dstnat', 100: 'srcnat', 0: 'filter' };

/** nft 1.0.6 does not know the names in an output chain, and `dstnat - 10` only beside a name. */
function priorityText(hook: Hook): string {
  const exact = priorityNames[hook.priority];
  return exact !== undefined && hook.hook !== 'output' ? exact : String(hook.priority);
}

function compareText(a: string, b: string): number {
  const x = a.split(/(\d+)/);
  const y = b.split(/(\d+)/);
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const p = x[i] ?? '';
    const q = y[i] ?? '';
    if (p === q) continue;
    return i % 2 === 1 ? Number(p) - Number(q) : p < q ? -1 : 1;
  }
  return x.length - y.length;
}

function setLines(set: SetDeclaration, elements: Elements | undefined): string[] {
  const types = set.key.join(' . ') + (set.data ? ` : ${set.data.join(' . ')}` : '');
  const lines = [`\t${set.data ? 'map' : 'set'} ${set.name} {`, `\t\t${set.typeof ? 'typeof' : 'type'} ${types}`];
  if (set.dynamic) lines.push(`\t\tsize ${set.dynamic.size}`, '\t\tflags dynamic,timeout');
  if (set.interval) lines.push('\t\tflags interval');
  const sorted = [...(elements ?? [])].sort(([a], [b]) => compareText(a, b));
  if (sorted.length > 0) {
    const texts = sorted.map(([key, data]) => (data === '' ? key : `${key} : ${data}`));
    lines.push(`\t\telements = { ${texts.join(',\n\t\t\t     ')} }`);
  }
  return [...lines, '\t}', ''];
}

function chainLines(chain: Chain): string[] {
  const { hook } = chain;
  const head = hook ? [`\t\ttype ${hook.type} hook ${hook.hook} priority ${priorityText(hook)}; policy accept;`] : [];
  return [`\tchain ${chain.name} {`, ...head, ...chain.rules.map((rule) => `\t\t${rule}`), '\t}', ''];
}

/** Prints a table; `nft -f` accepts the text, and `parseTable` reads it back. */
export function printTable(table: Table): string {
  const lines = [`table ${table.family} ${table.name} {`];
  for (const set of table.sets) lines.push(...setLines(set, table.elements.get(set.name)));
  for (const chain of table.chains) lines.push(...chainLines(chain));
  lines.pop();
  return `${[...lines, '}'].join('\n')}\n`;
}
