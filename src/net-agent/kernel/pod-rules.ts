/**
 * Keeps the rules of the pod network in the kernel: a table of nftables, or, where the kernel has no nf_tables, a chain of iptables. What the
 * backend asks for besides (VXLAN untracked) spares work and no more, so the chain does without it, as flannel does.
 */
import type { Clock } from '../../clock/clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import type { Iptables } from '../../linux/iptables/iptables.ts';
import { sameRule } from '../../linux/iptables/rule.ts';
import type { Section } from '../../linux/iptables/section.ts';
import { syncTable } from '../../linux/nftables/sync-table.ts';
import type { Nftables, TableFamily } from '../../linux/nftables/table.ts';
import { familyWord, planRules, type RulesInput } from '../plan/rules.ts';
import { iptablesChain, jump, masqueradingRules } from '../plan/rules-iptables.ts';

export interface PodRulesTools {
  readonly nft: Nftables;
  /** Opened when it is needed. */
  readonly openIptables: () => Iptables;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** To look costs processes there, so it is not done with every pass. */
const lookMs = 60_000;

export class PodRules {
  readonly #tools: PodRulesTools;
  #iptables: Iptables | undefined;
  /** Of each family, what was done and until when it is believed. */
  readonly #done = new Map<TableFamily, { readonly key: string; readonly until: number }>();

  constructor(tools: PodRulesTools) {
    this.#tools = tools;
  }

  /** Whether anything had to change. Throws as `Nftables.commit` and `Iptables.restore` do. */
  async sync(input: RulesInput): Promise<boolean> {
    if (this.#iptables) return await this.#syncChain(this.#iptables, input);
    try {
      return await syncTable(this.#tools.nft, planRules(input));
    } catch (err) {
      if (!isKnownError(err, 'KERNEL_FEATURE_MISSING')) throw err;
      const iptables = this.#tools.openIptables();
      try {
        const isChanged = await this.#syncChain(iptables, input);
        this.#iptables = iptables;
        return isChanged;
      } catch (cause) {
        iptables.close();
        // It has neither: what nftables lacks is what to mend.
        throw isKnownError(cause, 'KERNEL_FEATURE_MISSING') || isKnownError(cause, 'TOOL_MISSING') ? err : cause;
      }
    }
  }

  async #syncChain(iptables: Iptables, { network, podCidr, masquerade }: RulesInput): Promise<boolean> {
    const { clock } = this.#tools;
    const key = JSON.stringify([network.text, podCidr, masquerade]);
    const family = familyWord(network.family);
    const done = this.#done.get(family);
    if (key === done?.key && clock.monotonic() < done.until) return false;
    const { randomFully } = await iptables.features(family);
    const rules = masquerade ? masqueradingRules(network, podCidr, randomFully) : [];
    const isChanged = await putChain(iptables, family, rules);
    this.#done.set(family, { key, until: clock.monotonic() + lookMs });
    return isChanged;
  }

  close(): void {
    this.#iptables?.close();
  }
}

/** Makes the chain hold these rules, reached once; none: no chain. */
async function putChain(iptables: Iptables, family: TableFamily, rules: readonly string[]): Promise<boolean> {
  const nat = (await iptables.save(family)).get('nat');
  const held = nat?.get(iptablesChain);
  const jumps = nat?.get('POSTROUTING')?.filter((rule) => sameRule(rule, jump)) ?? [];
  if (rules.length === 0) return held ? await removeChain(iptables, family, jumps) : false;
  const isHeld = held?.length === rules.length && held.every((rule, i) => sameRule(rule, rules[i] ?? ''));
  if (isHeld && jumps.length > 0) return false;
  const insert = jumps.length > 0 ? {} : { insert: new Map([['POSTROUTING', [jump]]]) };
  await iptables.restore(family, [{ table: 'nat', fill: new Map([[iptablesChain, rules]]), ...insert }]);
  return true;
}

async function removeChain(iptables: Iptables, family: TableFamily, jumps: readonly string[]): Promise<boolean> {
  const section: Section = { table: 'nat', remove: new Map([['POSTROUTING', jumps]]), drop: [iptablesChain] };
  await iptables.restore(family, [section]);
  return true;
}

/** For a node that leaves its cluster. */
export async function removePodRules(iptables: Iptables): Promise<void> {
  if (!(await iptables.mayHold(iptablesChain))) return;
  for (const family of ['ip', 'ip6'] as const)
    if (await iptables.hasChain(family, 'nat', iptablesChain)) await putChain(iptables, family, []);
}
