/** Mode nftables: one flat table in each family. */
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { eitherFamily } from '../../../linux/lack.ts';
import { Conntrack } from '../../../linux/netlink/conntrack.ts';
import { isAfterTranslation } from '../../../linux/nftables/diff.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { type Nftables, type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';
import { ensureSysctl, readSysctl } from '../../../linux/sysctl.ts';
import type { Log } from '../../../observability/log.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { FlowAccounting, type Settings } from '../flow-accounting.ts';
import { familyNames } from '../ip-family.ts';
import type { Connections } from '../least-connection.ts';
import type { Mode, ModeFigure, ModeOptions, ModeRules } from '../mode.ts';
import { probeParts } from './kernel-parts.ts';
import { tableName } from './layout.ts';
import { ServiceTable, type TableKernel } from './service-table.ts';

export const nftablesAlgorithms: readonly Algorithm[] = ['random', 'round-robin', 'least-connection', 'source-hash'];

interface NftablesModeOptions {
  readonly clock?: Clock;
  /** What is counted for the fewest connections. Without: nothing is. */
  readonly connections?: Connections & { close(): void };
  /** By which the kernel is made to count bytes. Without: it is not. */
  readonly settings?: Settings;
  readonly log?: Log;
  /** Whether `close` closes what was given. */
  readonly closes?: boolean;
}

const noConnections: Connections & { close(): void } = { flowsOf: async () => [], close: () => {} };

const deepVerifyPeriodMs = 3_600_000;

export class NftablesMode implements Mode {
  readonly name = 'nftables';
  readonly failuresMetric = 'sync_proxy_rules_nftables_sync_failures_total';
  /** What is stale goes in the transaction that brings what is new: it never fails by itself. */
  readonly figures: readonly ModeFigure[] = [
    {
      name: 'sync_proxy_rules_nftables_cleanup_failures_total',
      help: 'Rules that could not be taken away; always 0, as they go with the sync that changes them',
      type: 'counter',
      labels: ['ip_family'],
      read: () => this.#tables.map(({ family }) => [{ ip_family: familyNames[family] }, 0]),
    },
  ];
  readonly algorithms: readonly Algorithm[] = nftablesAlgorithms;
  readonly #nft: Nftables;
  readonly #connections: Connections & { close(): void };
  readonly #accounting: FlowAccounting | undefined;
  readonly #clock: Clock;
  readonly #closes: boolean;
  readonly #tables: ServiceTable[] = [];
  /** Families for which the kernel has all that rules are made of. */
  readonly #able = new Set<TableFamily>();
  #isProbed = false;
  /** The kernel's count of changes when it was last looked at, and our own since. */
  #generation = 0;
  #commits = 0;
  #deeplyVerified: number;
  /** Whether somebody else changed this table, or may have. */
  #touched = false;

  constructor(
    nft: Nftables,
    { clock = systemClock, connections = noConnections, settings, log, closes = false }: NftablesModeOptions = {},
  ) {
    this.#nft = nft;
    this.#connections = connections;
    this.#accounting = settings ? new FlowAccounting(settings, log) : undefined;
    this.#clock = clock;
    this.#closes = closes;
    this.#deeplyVerified = clock.monotonic();
  }

  /** In the network namespace of this thread. */
  static ofKernel(options: ModeOptions = {}): NftablesMode {
    const settings: Settings = { read: readSysctl, set: ensureSysctl };
    const nft = new KernelNftables(options.isAlone ? 'if-long' : true);
    return new NftablesMode(nft, { ...options, connections: new Conntrack(), settings, closes: true });
  }

  async probe(): Promise<void> {
    await this.#nft.generation();
    await eitherFamily((family) => this.#probe(family));
    this.#generation = await this.#nft.generation();
    this.#commits = 0;
    this.#isProbed = true;
  }

  async #probe(family: TableFamily): Promise<void> {
    if (this.#able.has(family)) return;
    await probeParts(this.#counted(), family);
    this.#able.add(family);
  }

  async open(node: NodeContext): Promise<ModeRules> {
    // Who only looks does not try.
    if (this.#isProbed) await this.#probe(node.family);
    const table = new ServiceTable(this.#counted(), node, this.#clock);
    await table.open();
    this.#tables.push(table);
    return table;
  }

  /** The kernel, counting changes that are our own. */
  #counted(): TableKernel {
    return {
      commit: async (transaction) => {
        await this.#nft.commit(transaction);
        if (transaction.ops.length > 0) this.#commits++;
      },
      read: (...which) => this.#nft.read(...which),
      readElements: (...which) => this.#nft.readElements(...which),
      readCounters: (...which) => this.#nft.readCounters(...which),
      generation: () => this.#nft.generation(),
      connections: this.#connections,
      ...(this.#accounting ? { accounting: this.#accounting } : {}),
    };
  }

  async verify(): Promise<boolean> {
    const generation = await this.#nft.generation();
    const expected = this.#generation + this.#commits;
    this.#generation = generation;
    this.#commits = 0;
    const touched = this.#touched && generation !== expected;
    this.#touched = false;
    const deep = touched || this.#clock.monotonic() - this.#deeplyVerified >= deepVerifyPeriodMs;
    if (deep) this.#deeplyVerified = this.#clock.monotonic();
    if (deep || generation !== expected) for (const table of this.#tables) await table.verify(deep);
    for (const table of this.#tables) await table.forgetCounts(deep);
    return true;
  }

  watch(onTouched: () => void): { close(): void } {
    const touched = (): void => {
      this.#touched = true;
      onTouched();
    };
    const watch = this.#nft.watch(tableName, touched);
    void this.#wasTouched().then((was) => was && touched());
    return watch;
  }

  /** Whether somebody else changed something that nobody told of, as nobody listened yet. What is in our table is then read once. */
  async #wasTouched(): Promise<boolean> {
    const commits = this.#commits;
    const since = this.#generation;
    try {
      const generation = await this.#nft.generation();
      // Others of this process may commit, or look, while the kernel answers.
      return since === this.#generation && (generation < since + commits || generation > since + this.#commits);
    } catch {
      // Whoever looks at the rules next is told why.
      return false;
    }
  }

  async cleanUp(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    for (const family of families) {
      const table = await this.#nft.read(family, tableName);
      if (!table) continue;
      // Where another mode serves by now: a packet that meets only a part of a table that goes is not translated, and then it must not be refused.
      const refusing = [...table.chains.values()].filter(isAfterTranslation);
      const flushes = refusing.map(({ name }) => ({ op: 'flush-chain', chain: name }) as const);
      for (const ops of [flushes, [{ op: 'delete-table' } as const]]) await this.#nft.commit({ family, table: tableName, ops });
    }
  }

  close(): void {
    for (const table of this.#tables) table.close();
    if (!this.#closes) return;
    this.#nft.close();
    this.#connections.close();
  }
}
