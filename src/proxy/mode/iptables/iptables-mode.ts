/** Mode iptables: the chains of kube-proxy's mode of that name, in both families. */
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { isKnownError } from '../../../errors/known-error.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import { asFarAsAble, eitherFamily } from '../../../linux/lack.ts';
import { Conntrack } from '../../../linux/netlink/conntrack.ts';
import { KernelPacketAccounts, type PacketAccounts } from '../../../linux/netlink/packet-accounts.ts';
import { type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';
import { ensureSysctl, readSysctl } from '../../../linux/sysctl.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { FlowAccounting, type Settings } from '../flow-accounting.ts';
import type { Connections } from '../least-connection.ts';
import type { Mode, ModeFigure, ModeOptions, ModeRules } from '../mode.ts';
import { openTools, ownPrefix } from './backend.ts';
import { cleanUpSections } from './clean-up.ts';
import { iptablesFigures } from './figures.ts';
import { addsToLocalhost, canary, canaryTables, kubeletFirewall, localhostAccount } from './layout.ts';
import { hashSteps, type Step } from './placement.ts';
import { ServiceChains } from './service-chains.ts';

export const iptablesAlgorithms: readonly Algorithm[] = ['random', 'round-robin', 'least-connection', 'source-hash'];

const deepVerifyPeriodMs = 3_600_000;
const trialChain = 'KUBE-PROXY-TRIAL';
const routeLocalnet = 'net/ipv4/conf/all/route_localnet';
const beLiberal = 'net/netfilter/nf_conntrack_tcp_be_liberal';

/** kube-proxy's, to which rules of both families add. */
const invalidAccount = 'ct_state_invalid_dropped_pkts';
/** The legacy tool reads and writes the whole table whenever it is called. */
const partsOfBackend = { nft: 2, legacy: 16 } as const;
const pauseMs = 50;
/** As many as make two seconds; few where rules of a family that stays may be what holds on. */
const attempts = { patient: 40, brief: 2 };

const kernelSettings: Settings = { read: readSysctl, set: ensureSysctl };

export interface IptablesModeOptions extends ModeOptions {
  readonly iptables: Iptables;
  /** The backend in which another proxy may have left rules; whoever asks closes it. */
  readonly otherBackend?: () => Promise<Iptables | undefined>;
  readonly settings?: Settings;
  /** Where packets to node ports at 127.0.0.1 are counted. Without: nowhere. */
  readonly accounts?: PacketAccounts;
  /** What is counted for the fewest connections. Without: nothing is. */
  readonly connections?: Connections & { close(): void };
  /** Whether `close` closes `iptables`, `accounts` and `connections`. */
  readonly closes?: boolean;
}

const noConnections: Connections = { flowsOf: async () => [] };

export class IptablesMode implements Mode {
  readonly name = 'iptables';
  readonly failuresMetric = 'sync_proxy_rules_iptables_restore_failures_total';
  readonly figures: readonly ModeFigure[];
  readonly #options: IptablesModeOptions;
  readonly #iptables: Iptables;
  readonly #settings: Settings;
  /** Nothing is set where nothing is read. */
  readonly #accounting: FlowAccounting | undefined;
  readonly #clock: Clock;
  readonly #families = new Map<TableFamily, ServiceChains>();
  /** Whether somebody else changed our rules, or may have. */
  #touched = false;
  #deeplyVerified: number;
  #algorithms = iptablesAlgorithms;
  /** Whether the kernel has the match that counts. Who only looks does not try. */
  #canCount = true;

  /** Whoever gives `iptables` closes it, unless it says so. */
  constructor(options: IptablesModeOptions) {
    this.#options = options;
    this.#iptables = options.iptables;
    this.#settings = options.settings ?? kernelSettings;
    this.#accounting = options.connections?.eachTranslated ? new FlowAccounting(this.#settings, options.log) : undefined;
    this.#clock = options.clock ?? systemClock;
    this.#deeplyVerified = this.#clock.monotonic();
    this.figures = iptablesFigures(this.#families, this.#iptables, options.accounts);
  }

  /** In the network namespace of this process. */
  static async ofKernel(options: ModeOptions = {}): Promise<IptablesMode> {
    const accounts = await KernelPacketAccounts.open();
    return new IptablesMode({
      ...options,
      ...(await openTools()),
      ...(accounts && { accounts }),
      connections: new Conntrack(),
      closes: true,
    });
  }

  get algorithms(): readonly Algorithm[] {
    return this.#algorithms;
  }

  async probe(): Promise<void> {
    const family = await eitherFamily(async (one) => {
      await this.#iptables.features(one);
      return one;
    });
    await this.#tryMatches(family);
    await this.#iptables.foreignChanges();
  }

  /** Whether the kernel has the matches that tell clients apart and that count: modules of their own. It says so when a rule asks for them. */
  async #tryMatches(family: TableFamily): Promise<void> {
    const [{ match: tells }] = hashSteps(['a', 'b'], undefined) as [Step];
    const counts = (await this.#ensureAccount()) ? [addsToLocalhost] : [];
    if (await this.#accepts(family, [tells, ...counts])) return;
    this.#canCount = counts.length > 0 && (await this.#accepts(family, counts));
    // An account alone would tell those who look that rules add to it.
    if (!this.#canCount) await this.#options.accounts?.remove(localhostAccount);
    if (counts.length === 0 || !(await this.#accepts(family, [tells])))
      this.#algorithms = iptablesAlgorithms.filter((one) => one !== 'source-hash');
  }

  async #ensureAccount(): Promise<boolean> {
    return this.#canCount && ((await this.#options.accounts?.ensure(localhostAccount)) ?? false);
  }

  async #accepts(family: TableFamily, matches: readonly string[]): Promise<boolean> {
    try {
      const fill = new Map([[trialChain, matches.map((match) => `${match}-j RETURN`)]]);
      await this.#iptables.restore(family, [
        { table: 'mangle', fill },
        { table: 'mangle', drop: [trialChain] },
      ]);
      return true;
    } catch (err) {
      if (!isKnownError(err, 'KERNEL_REFUSED')) throw err;
      return false;
    }
  }

  async open(node: NodeContext): Promise<ModeRules> {
    const { randomFully, backend } = await this.#iptables.features(node.family);
    const isLiberal = (this.#settings.read(beLiberal) ?? '0') !== '0';
    const rules = { ...this.#options, conntrackLiberal: isLiberal || this.#options.conntrackLiberal === true };
    const allowLocalnet = (): void => this.#settings.set(routeLocalnet, '1');
    const { connections = noConnections } = this.#options;
    const accounting = this.#accounting ? { accounting: this.#accounting } : {};
    const kernel = { iptables: this.#iptables, connections, ...accounting, clock: this.#clock };
    const countLocalhost = (): Promise<boolean> => this.#ensureAccount();
    const partsAtATime = partsOfBackend[backend];
    const chains = new ServiceChains(node, { ...kernel, partsAtATime, randomFully, rules, allowLocalnet, countLocalhost });
    this.#families.set(node.family, chains);
    chains.open();
    return chains;
  }

  async verify(): Promise<boolean> {
    const foreign = await this.#iptables.foreignChanges();
    const touched = this.#touched && foreign !== 0;
    this.#touched = false;
    const deep = touched || this.#clock.monotonic() - this.#deeplyVerified >= deepVerifyPeriodMs;
    if (deep) this.#deeplyVerified = this.#clock.monotonic();
    for (const [family, chains] of this.#families) {
      const suspicious = foreign !== undefined && foreign !== 0 && !chains.isLarge;
      if (deep || suspicious || (foreign !== 0 && !(await this.#hasCanaries(family)))) chains.distrust();
    }
    return true;
  }

  /** Who flushes tables does not spare the canary. */
  async #hasCanaries(family: TableFamily): Promise<boolean> {
    for (const table of canaryTables) if (!(await this.#iptables.hasChain(family, table, canary))) return false;
    return true;
  }

  watch(onTouched: () => void): { close(): void } {
    return this.#iptables.watch(ownPrefix, () => {
      this.#touched = true;
      onTouched();
    });
  }

  async cleanUp(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    await this.#cleanUpOf(this.#iptables, families);
    await this.cleanUpElsewhere(families);
    const isWhole = tableFamilies.every((family) => families.includes(family));
    await Promise.all([
      families.includes('ip') ? this.#removeAccount(localhostAccount, attempts.patient) : undefined,
      this.#removeAccount(invalidAccount, isWhole ? attempts.patient : attempts.brief),
    ]);
  }

  /** The kernel lets go of an account a moment after the last rule that added to it is gone. */
  async #removeAccount(name: string, most: number): Promise<void> {
    for (let attempt = 1; (await this.#options.accounts?.remove(name)) === false && attempt < most; attempt++)
      await this.#clock.sleep(pauseMs);
  }

  /** In the backend that the tools of this machine do not use, as a proxy in an image may have used it. */
  async cleanUpElsewhere(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    const other = await this.#options.otherBackend?.();
    if (!other) return;
    try {
      await this.#cleanUpOf(other, families);
    } finally {
      other.close();
    }
  }

  async #cleanUpOf(iptables: Iptables, families: readonly TableFamily[]): Promise<void> {
    for (const family of families) {
      if (!(await iptables.mayHold(ownPrefix, family))) continue;
      // Without its tools or its part of the kernel there are no rules that we could read.
      await asFarAsAble(() => this.#cleanUpFamily(iptables, family));
    }
  }

  async #cleanUpFamily(iptables: Iptables, family: TableFamily): Promise<void> {
    await iptables.features(family);
    const held = await iptables.save(family);
    // Without the rule that guards it, loopback would be open to the neighbours.
    if (family === 'ip' && held.get('filter')?.get(kubeletFirewall)?.length) this.#settings.set(routeLocalnet, '0');
    const sections = [...cleanUpSections(held)];
    if (sections.length > 0) await iptables.restore(family, sections);
  }

  close(): void {
    for (const chains of this.#families.values()) chains.close();
    if (!this.#options.closes) return;
    this.#options.connections?.close();
    this.#options.accounts?.close();
    this.#iptables.close();
  }
}
