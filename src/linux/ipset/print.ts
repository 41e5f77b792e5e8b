/** Sets in the syntax of `ipset save`. Pure. */
import type { IpsetDeclaration, IpsetOp } from './ipset.ts';

export interface TextSet {
  readonly set: IpsetDeclaration;
  readonly entries: Iterable<string>;
}

/** As the line that creates it. */
export function printDeclaration({ name, type, family }: IpsetDeclaration): string {
  if (type === 'bitmap:port') return `create ${name} ${type} range 0-65535`;
  return `create ${name} ${type} family inet${family === 6 ? '6' : ''} hashsize 1024 maxelem 65536`;
}

/** A change as words behind `ipset`. */
export function printIpsetOp(op: IpsetOp): string {
  switch (op.op) {
    case 'create':
      return printDeclaration(op.set);
    case 'add':
    case 'del':
      return `${op.op} ${op.set.name} ${op.entry}`;
    case 'swap':
      return `swap ${op.name} ${op.other}`;
    default:
      return `${op.op} ${op.name}`;
  }
}

/** Sorted: the kernel's order means nothing. */
export function printIpsets(sets: Iterable<TextSet>): string {
  const blocks = [...sets].map(({ set, entries }) =>
    [printDeclaration(set), ...[...entries].sort().map((entry) => `add ${set.name} ${entry}`)].join('\n'),
  );
  return blocks
    .sort()
    .map((block) => `${block}\n`)
    .join('');
}
