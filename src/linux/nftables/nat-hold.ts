/**
 * Keeps the kernel translating the addresses of connections that it tracks, also when somebody takes all rules away. With the last chain of NAT the
 * kernel stops: until rules are back, packets of established connections go astray, and the first that meets a host is answered by a reset.
 */
import { KernelNftables } from './kernel-nftables.ts';
import { tableFamilies } from './table.ts';

const tableName = 'fairlead-hold';
/** Any match of conntrack makes the kernel track connections, any chain of NAT makes it translate them, at all of its hooks. */
const chain = { name: 'nat-input', hook: { type: 'nat', hook: 'input', priority: 300 }, rules: ['ct state new'] } as const;

export interface NatHold {
  hold(): Promise<void>;
  /** What was held ends with the process, too. */
  close(): void;
}

/** In the network namespace in which it was made. */
export class KernelNatHold implements NatHold {
  #nft: KernelNftables | undefined;
  #isHolding = false;

  constructor() {
    try {
      this.#nft = new KernelNftables();
    } catch {
      // A kernel without nf_tables goes on translating when its other tables are flushed, but tracks no connection then.
    }
  }

  /** Does nothing where the kernel cannot (before Linux 5.12). */
  async hold(): Promise<void> {
    if (this.#isHolding) return;
    this.#isHolding = true;
    for (const family of tableFamilies)
      try {
        await this.#nft?.commit({
          family,
          table: tableName,
          ops: [
            { op: 'add-table', isOwned: true },
            { op: 'add-chain', chain },
          ],
        });
      } catch {}
  }

  close(): void {
    this.#nft?.close();
    this.#nft = undefined;
  }
}
