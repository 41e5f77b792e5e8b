/** Reads a table, compares it, and writes what differs. */
import { diff } from './diff.ts';
import type { Nftables, Table } from './table.ts';

/** Brings a table to what is wanted, in one transaction; true when it had to change. Throws as `Nftables.commit` does. */
export async function syncTable(nft: Nftables, want: Table): Promise<boolean> {
  const { family, name: table } = want;
  const ops = diff(await nft.read(family, table), want);
  await nft.commit({ family, table, ops });
  return ops.length > 0;
}
