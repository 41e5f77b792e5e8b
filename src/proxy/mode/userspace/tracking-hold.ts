/**
 * Keeps the kernel tracking connections after the last rule that asked it to. Connections that another mode's rules translated would break
 * otherwise: their packets come as they are. Where the kernel takes a table that its owner holds, `linux/nftables/nat-hold.ts` does the same.
 */
import { isKnownError } from '../../../errors/known-error.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';

const families: readonly TableFamily[] = ['ip', 'ip6'];
/** No rule leads there: it is enough that its rule exists. */
const chain = 'FAIRLEAD-HOLD';
const rule = '-m conntrack --ctstate NEW -m comment --comment "connections of another proxy mode stay translated"';

/** This mode needs neither the tools nor the tables; where they are not, nothing was translated. */
async function ifThere(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    if (!isKnownError(err, 'KERNEL_FEATURE_MISSING') && !isKnownError(err, 'TOOL_MISSING')) throw err;
  }
}

export class TrackingHold {
  readonly #iptables: Iptables;

  constructor(iptables: Iptables) {
    this.#iptables = iptables;
  }

  /** Does nothing where no mode had rules. */
  async hold(): Promise<void> {
    await ifThere(async () => {
      if (!(await this.#iptables.mayHold('KUBE-'))) return;
      for (const family of families) await this.#iptables.restore(family, [{ table: 'nat', fill: new Map([[chain, [rule]]]) }]);
    });
  }

  async release(): Promise<void> {
    await ifThere(async () => {
      if (!(await this.#iptables.mayHold(chain))) return;
      for (const family of families)
        if (await this.#iptables.hasChain(family, 'nat', chain)) await this.#iptables.restore(family, [{ table: 'nat', drop: [chain] }]);
    });
  }

  close(): void {
    this.#iptables.close();
  }
}
