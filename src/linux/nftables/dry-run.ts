import type { Nftables, Transaction } from './table.ts';

/** The packet filter to read, whose transactions go to `onCommit` in place of the kernel. */
export function dryRun(nft: Nftables, onCommit: (transaction: Transaction) => void): Nftables {
  return {
    commit: async (transaction) => {
      if (transaction.ops.length > 0) onCommit(transaction);
    },
    read: (...which) => nft.read(...which),
    readElements: (...which) => nft.readElements(...which),
    readCounters: (...which) => nft.readCounters(...which),
    generation: () => nft.generation(),
    watch: (table, onChange) => nft.watch(table, onChange),
    close: () => nft.close(),
  };
}
