/**
 * Keeps the kernel tracking connections after the last rule that asked it to. Connections that another mode's rules translated would break
 * otherwise: their packets come as they are. Where the kernel takes a table that its owner holds, `linux/nftables/nat-hold.ts` does the same.
 */
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import { asFarAsAble } from '../../../linux/lack.ts';
import { type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';

/** No rule leads there: it is enough that its rule exists. */
const chain = 'FAIRLEAD-HOLD';
const rule = '-m conntrack --ctstate NEW -m comment --comment "connections of another proxy mode stay translated"';

export class TrackingHold {
  readonly #iptables: Iptables;

  constructor(iptables: Iptables) {
    this.#iptables = iptables;
  }

  /** Does nothing where no mode had rules. */
  async hold(): Promise<void> {
    await this.#inEach(tableFamilies, 'KUBE-', (family) =>
      this.#iptables.restore(family, [{ table: 'nat', fill: new Map([[chain, [rule]]]) }]),
    );
  }

  async release(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    await this.#inEach(families, chain, async (family) => {
      if (await this.#iptables.hasChain(family, 'nat', chain)) await this.#iptables.restore(family, [{ table: 'nat', drop: [chain] }]);
    });
  }

  /** This mode needs neither the tools nor the tables; where they are not, nothing was translated. */
  async #inEach(families: readonly TableFamily[], prefix: string, work: (family: TableFamily) => Promise<void>): Promise<void> {
    await asFarAsAble(async () => {
      if (!(await this.#iptables.mayHold(prefix))) return;
      for (const family of families) await asFarAsAble(() => work(family));
    });
  }

  close(): void {
    this.#iptables.close();
  }
}
