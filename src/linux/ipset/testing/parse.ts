/** Reads sets in the syntax of `ipset save`. Pure. */
import type { IpsetDeclaration, IpsetType } from '../ipset.ts';

function readDeclaration([name = '', type = '', ...options]: readonly string[]): IpsetDeclaration {
  if (type === 'bitmap:port') return { name, type };
  return { name, type: type as IpsetType, family: options.includes('inet6') ? 6 : 4 };
}

/** Reads what `ipset save` or `printIpsets` gave; sizes are not kept. Throws SyntaxError. */
export function parseIpsets(text: string): { set: IpsetDeclaration; entries: Set<string> }[] {
  const sets = new Map<string, { set: IpsetDeclaration; entries: Set<string> }>();
  for (const line of text.split('\n').filter((line) => line.trim() !== '')) {
    const [command, name = '', ...rest] = line.trim().split(/\s+/);
    const held = sets.get(name);
    if (command === 'create') sets.set(name, { set: readDeclaration([name, ...rest]), entries: new Set() });
    else if (command === 'add' && held) held.entries.add(rest[0] ?? '');
    else throw new SyntaxError(`Cannot read "${line}": it creates no set and adds to none that was created`);
  }
  return [...sets.values()];
}
