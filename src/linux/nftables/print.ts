/** A table in nft's own syntax: what `nft -f` takes. Sets before chains, everything in a stable order. */
import { compareNames } from './compare-names.ts';
import type { Chain, Elements, Hook, Op, SetDeclaration, Table, TableFamily } from './table.ts';

const priorityNames: Readonly<Record<number, string>> = { [-100]: 'dstnat', 100: 'srcnat', 0: 'filter' };

/** nft 1.0.6 does not know the names in an output chain, and `dstnat - 10` only beside a name. */
function priorityText(hook: Hook): string {
  const exact = priorityNames[hook.priority];
  return exact !== undefined && hook.hook !== 'output' ? exact : String(hook.priority);
}

const kindOf = (set: SetDeclaration): string => (set.data ? 'map' : 'set');

function declarationLines(set: SetDeclaration): string[] {
  const types = set.key.join(' . ') + (set.data ? ` : ${set.data.join(' . ')}` : '');
  return [
    `${set.typeof ? 'typeof' : 'type'} ${types}`,
    ...(set.dynamic ? [`size ${set.dynamic.size}`, `flags dynamic${set.data ? ',timeout' : ''}`] : []),
    ...(set.interval ? ['flags interval'] : []),
  ];
}

function elementText(key: string, data: string): string {
  return data === '' ? key : `${key} : ${data}`;
}

function setLines(set: SetDeclaration, elements: Elements | undefined): string[] {
  const lines = [`\t${kindOf(set)} ${set.name} {`, ...declarationLines(set).map((line) => `\t\t${line}`)];
  const sorted = [...(elements ?? [])].sort(([a], [b]) => compareNames(a, b));
  if (sorted.length > 0) {
    const texts = sorted.map(([key, data]) => elementText(key, data));
    lines.push(`\t\telements = { ${texts.join(',\n\t\t\t     ')} }`);
  }
  return [...lines, '\t}', ''];
}

function hookText(hook: Hook): string {
  return `type ${hook.type} hook ${hook.hook} priority ${priorityText(hook)}; policy accept;`;
}

function chainLines(chain: Chain): string[] {
  const head = chain.hook ? [`\t\t${hookText(chain.hook)}`] : [];
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

/** A step of a transaction as commands of nft: one for each rule and each element. */
export function opCommands(op: Op, family: TableFamily, table: string): string[] {
  const at = `${family} ${table}`;
  switch (op.op) {
    case 'add-table':
    case 'delete-table':
      return [`${op.op.replace('-', ' ')} ${at}`];
    case 'add-chain': {
      const { name, hook, rules } = op.chain;
      return [`add chain ${at} ${name}${hook ? ` { ${hookText(hook)} }` : ''}`, ...rules.map((rule) => `add rule ${at} ${name} ${rule}`)];
    }
    case 'flush-chain':
    case 'delete-chain':
      return [`${op.op.replace('-', ' ')} ${at} ${op.chain}`];
    case 'add-rule':
      return [`add rule ${at} ${op.chain} ${op.rule}`];
    case 'add-set':
      return [`add ${kindOf(op.set)} ${at} ${op.set.name} { ${declarationLines(op.set).join('; ')}; }`];
    case 'delete-set':
      return [`delete set ${at} ${op.set}`];
    case 'add-elements':
      return op.elements.map(([key, data]) => `add element ${at} ${op.set.name} { ${elementText(key, data)} }`);
    case 'delete-elements':
      return op.keys.map((key) => `delete element ${at} ${op.set.name} { ${key} }`);
  }
}
