/** What is needed of iptables: the tools, or a stand-in for them. */
import type { TableFamily } from '../nftables/table.ts';
import type { CountedRule } from './counted-rule.ts';
import type { Ruleset, TableName } from './ruleset.ts';
import type { Section } from './section.ts';

/** What stands behind the tools' names. */
export interface IptablesFeatures {
  /** `nft` keeps the rules in nf_tables, `legacy` in tables of its own, of which nobody hears when they change. */
  readonly backend: 'nft' | 'legacy';
  /** Whether MASQUERADE takes `--random-fully`. */
  readonly randomFully: boolean;
}

export interface Iptables {
  /** Throws TOOL_MISSING naming the package, KERNEL_FEATURE_MISSING. */
  features(family: TableFamily): Promise<IptablesFeatures>;
  /** All rules of all tables. */
  save(family: TableFamily): Promise<Ruleset>;
  /** The rules of one chain with their counts; none when there is no such chain. Cheap: the other chains are not read. Without a chain all of the table. */
  counted(family: TableFamily, table: TableName, chain?: string): Promise<readonly CountedRule[]>;
  /**
   * Makes changes, each section all or nothing, up to the first that is refused. Throws KERNEL_REFUSED naming the line; and, as whatever runs a tool,
   * COMMAND_FAILED when another program held the lock of the legacy backend all the while that the tool waits for it.
   */
  restore(family: TableFamily, sections: Iterable<Section>): Promise<void>;
  hasChain(family: TableFamily, table: TableName, chain: string): Promise<boolean>;
  /** Whether there may be chains, or rules that name a chain, whose name begins so, in one family or in any. Starts no process. */
  mayHold(prefix: string, family?: TableFamily): Promise<boolean>;
  /** Another one whenever a rule may be another one; undefined where the kernel does not tell. Starts no process, once `features` is known. */
  state(family: TableFamily): Promise<string | undefined>;
  /**
   * Counts the changes that others made since the last time that this was asked; undefined where the kernel does not count.
   * What `restore` did is no change of others.
   */
  foreignChanges(): Promise<number | undefined>;
  /** Calls `onTouched` soon after somebody changed a chain, or a rule that names a chain, whose name begins so. Says nothing with the legacy backend. */
  watch(prefix: string, onTouched: () => void): { close(): void };
  close(): void;
}
