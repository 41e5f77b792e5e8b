/** Mode ipvs: a virtual server of the kernel's load balancer for every frontend, as a drop-in for kube-proxy's mode of that name. */
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { isKnownError, KnownError } from '../../../errors/known-error.ts';
import { type Cidr, parseCidr } from '../../../ip/ip.ts';
import { KernelIpset } from '../../../linux/ipset/kernel-ipset.ts';
import { KernelIptables } from '../../../linux/iptables/kernel-iptables.ts';
import type { IpvsOp, VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import { KernelIpvs } from '../../../linux/ipvs/kernel-ipvs.ts';
import { eitherFamily } from '../../../linux/lack.ts';
import { loadModules } from '../../../linux/modules.ts';
import { Rtnetlink } from '../../../linux/netlink/rtnetlink.ts';
import { type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';
import { ensureSysctl, readSysctl } from '../../../linux/sysctl.ts';
import { type Log, silentLog } from '../../../observability/log.ts';
import { type Algorithm, schedulers } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { openTools, type Tools } from '../iptables/backend.ts';
import type { Mode, ModeOptions, ModeRules } from '../mode.ts';
import { cleanOtherBackend, cleanUpIpvs, drainIpvs } from './clean-up.ts';
import { allParts, type Part } from './comparison.ts';
import type { IpvsKernel } from './ipvs-kernel.ts';
import { defaultMasqueradeBit } from './ipvs-node.ts';
import { IpvsRules, lookShare } from './ipvs-rules.ts';
import { KernelServiceDevice } from './service-device.ts';
import { sysctlsOf } from './sysctls.ts';

/** What schedulers do when they are told more: `source-hash` is stable hashing. */
const variants: readonly (readonly [algorithm: Algorithm, scheduler: Algorithm])[] = [
  ['source-hash', 'mh'],
  ['sh-port', 'sh'],
];
export const ipvsAlgorithms: readonly Algorithm[] = withVariants(schedulers);

function withVariants(held: readonly Algorithm[]): readonly Algorithm[] {
  return [...held, ...variants.filter(([, scheduler]) => held.includes(scheduler)).map(([algorithm]) => algorithm)];
}

/** What parts take together of the share of this time is looked at in one go; the others wait for theirs, so that no minute has more of it than another. */
const usualPeriodMs = 30_000;

/** Marks of packets that nobody gives: under these, schedulers are tried. */
const firstTrialMark = 0x7ffffff0;

export interface IpvsModeKernel extends IpvsKernel {
  /** True when it had to change; undefined when the kernel has no such setting. */
  setSysctl(name: string, value: string): boolean | undefined;
  loadModules(names: readonly string[]): Promise<void>;
  close(): void;
}

export class IpvsMode implements Mode {
  readonly name = 'ipvs';
  /** Glue goes through iptables, as in kube-proxy. */
  readonly failuresMetric = 'sync_proxy_rules_iptables_restore_failures_total';
  readonly #kernel: IpvsModeKernel;
  readonly #options: ModeOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #families = new Map<TableFamily, IpvsRules>();
  #algorithms = ipvsAlgorithms;
  #isClosed = false;
  /** What has not been looked at since the last time that all was. */
  #round: Part[] = [];
  /** When the next part of it is to be looked at. */
  #nextLook = Number.NEGATIVE_INFINITY;
  #isTold = false;
  /** Whether addresses were looked at, or are about to be, since somebody tells when one comes or goes. */
  #knowsAddresses = false;

  constructor(kernel: IpvsModeKernel, options: ModeOptions = {}) {
    this.#kernel = kernel;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
  }

  /** In the network namespace of this process. */
  static async open(options?: ModeOptions): Promise<IpvsMode> {
    return IpvsMode.ofKernel(options, await openTools());
  }

  /** With these tools, whose network namespace `within` leads to; it must call at once what it is given. */
  static ofKernel(
    options: ModeOptions = {},
    { iptables, otherBackend }: Partial<Tools> = {},
    within: <T>(work: () => T) => T = (work) => work(),
  ): IpvsMode {
    const kernel = within(() => ({
      ipvs: new KernelIpvs(),
      ipset: new KernelIpset(),
      iptables: iptables ?? new KernelIptables(),
      device: new KernelServiceDevice(() => within(() => new Rtnetlink())),
    }));
    const close = (): void => {
      for (const part of Object.values(kernel)) part.close();
    };
    const setSysctl = (name: string, value: string): boolean | undefined =>
      within(() => (readSysctl(name) === undefined ? undefined : ensureSysctl(name, value)));
    return new IpvsMode({ ...kernel, ...(otherBackend && { otherBackend }), setSysctl, loadModules, close }, options);
  }

  get algorithms(): readonly Algorithm[] {
    return this.#algorithms;
  }

  async probe(): Promise<void> {
    const { ipvs, ipset, device, iptables } = this.#kernel;
    const needed: readonly (readonly [part: string, look: () => Promise<unknown>])[] = [
      ['IPVS (module ip_vs)', () => ipvs.version()],
      ['sets (module ip_set)', () => ipset.protocol()],
      ['dummy devices (module dummy)', () => device.probe()],
      ['iptables (modules ip_tables and xt_set, or nf_tables and nft_compat)', () => eitherFamily((family) => iptables.features(family))],
    ];
    for (const [part, look] of needed)
      try {
        await look();
      } catch (err) {
        if (!isKnownError(err, 'KERNEL_FEATURE_MISSING')) throw err;
        const hint = err.hint ?? 'Use a kernel that has it';
        throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot use proxy mode "ipvs": the kernel lacks ${part}`, { hint, cause: err });
      }
    await this.#probeSchedulers();
  }

  /**
   * Each is a module of its own. The kernel would load it by itself at its first use, but under the lock of IPVS: a network namespace that ends meanwhile waits for that lock, and
   * the module for the namespace, for ever, and with them whoever changes a link.
   */
  async #probeSchedulers(): Promise<void> {
    await this.#kernel.loadModules(schedulers.map((name) => `ip_vs_${name}`));
    const address = (i: number): VirtualAddress => ({ kind: 'mark', mark: firstTrialMark + i, family: 4 });
    const additions = schedulers.map((scheduler, i): IpvsOp => ({ op: 'add-server', server: { address: address(i), scheduler } }));
    const errors = await this.#kernel.ipvs.apply(additions);
    await this.#kernel.ipvs.apply(schedulers.map((_, i): IpvsOp => ({ op: 'delete-server', address: address(i) })));
    this.#algorithms = withVariants(schedulers.filter((_, i) => !errors[i] || errors[i].errno === 'EEXIST'));
    if (this.#algorithms[0] !== ipvsAlgorithms[0])
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot use proxy mode "ipvs": the kernel lacks its scheduler rr (module ip_vs_rr)', {
        hint: 'Load the module (modprobe ip_vs_rr)',
      });
  }

  async open(node: NodeContext): Promise<ModeRules> {
    await this.#kernel.iptables.features(node.family);
    if (this.#families.size === 0) await this.#setUp();
    this.#families.get(node.family)?.close();
    const { masqueradeBit = defaultMasqueradeBit, ipvs: { excludeCidrs = [] } = {} } = this.#options;
    const rules = new IpvsRules({ kernel: this.#kernel, clock: this.#clock, log: this.#log, masqueradeBit, excludeCidrs }, node);
    this.#families.set(node.family, rules);
    return rules;
  }

  async #setUp(): Promise<void> {
    const { strictArp = false, tcpTimeoutMs = 0, tcpFinTimeoutMs = 0, udpTimeoutMs = 0 } = this.#options.ipvs ?? {};
    for (const { name, value } of sysctlsOf(strictArp)) {
      const changed = this.#kernel.setSysctl(name, value);
      if (changed) this.#log.info('Set a sysctl for proxy mode ipvs', { name, value });
      if (changed === undefined) this.#log.warn('The kernel does not have a sysctl that proxy mode ipvs sets', { name, value });
    }
    const seconds = (ms: number): number => Math.ceil(ms / 1000);
    const timeouts = { tcp: seconds(tcpTimeoutMs), tcpFin: seconds(tcpFinTimeoutMs), udp: seconds(udpTimeoutMs) };
    if (Object.values(timeouts).some((value) => value > 0)) await this.#kernel.ipvs.setTimeouts(timeouts);
  }

  async verify(isWaiting: () => boolean = () => false): Promise<boolean> {
    if (await this.#kernel.iptables.foreignChanges()) this.#suspect(['glue']);
    if (!(await this.#lookAtSuspects(isWaiting))) return false;
    // IPVS and ipset tell nobody of changes.
    if (this.#round.length === 0) this.#beginRound();
    while (this.#round.length > 0 && this.#clock.monotonic() >= this.#nextLook) {
      const begun = this.#clock.monotonic();
      this.#suspect(this.#round.splice(0, 1));
      const isDone = await this.#lookAtSuspects(isWaiting);
      const now = this.#clock.monotonic();
      this.#nextLook = Math.max(this.#nextLook, now - usualPeriodMs) + lookShare * (now - begun);
      if (!isDone || isWaiting()) return isDone && this.#round.length === 0;
    }
    return true;
  }

  async #lookAtSuspects(isWaiting: () => boolean): Promise<boolean> {
    let isDone = true;
    for (const rules of this.#families.values()) isDone = isDone && (await rules.verify(isWaiting));
    return isDone;
  }

  #beginRound(): void {
    this.#round = allParts.filter((part) => part !== 'addresses' || !this.#knowsAddresses);
    this.#knowsAddresses = this.#isTold;
  }

  #suspect(parts: readonly Part[]): void {
    for (const rules of this.#families.values()) rules.suspect(parts);
  }

  watch(onTouched: () => void): { close(): void } {
    const touched = (part: Part) => (): void => {
      this.#suspect([part]);
      onTouched();
    };
    this.#isTold = true;
    const watches = [this.#kernel.iptables.watch('KUBE-', touched('glue')), this.#kernel.device.watch(touched('addresses'))];
    return {
      close: () => {
        this.#isTold = this.#knowsAddresses = false;
        for (const watch of watches) watch.close();
      },
    };
  }

  async cleanUp(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    await cleanUpIpvs(this.#kernel, { families, excluded: this.#excluded }, this.#clock);
  }

  async cleanUpElsewhere(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    await cleanOtherBackend(this.#kernel, families);
  }

  drain(families: readonly TableFamily[] = tableFamilies): Promise<boolean> {
    return drainIpvs(this.#kernel, { families, excluded: this.#excluded }, this.#clock);
  }

  get #excluded(): Cidr[] {
    return (this.#options.ipvs?.excludeCidrs ?? []).map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const rules of this.#families.values()) rules.close();
    this.#kernel.close();
  }
}
