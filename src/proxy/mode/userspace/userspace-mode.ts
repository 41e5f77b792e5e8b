/** Mode userspace: this process relays connections itself. For kernels that can do nothing else. */
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { KernelIptables } from '../../../linux/iptables/kernel-iptables.ts';
import { type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';
import { type Log, silentLog } from '../../../observability/log.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Listener } from '../../plan/reserved.ts';
import { relayAlgorithms } from '../../relay/balancer.ts';
import type { Mode, ModeOptions, ModeRules } from '../mode.ts';
import { KernelRelayHost, type RelayHost } from './relay-host.ts';
import { RelayRules } from './relay-rules.ts';
import { TrackingHold } from './tracking-hold.ts';

export class UserspaceMode implements Mode {
  readonly name = 'userspace';
  readonly failuresMetric = 'sync_proxy_rules_userspace_sync_failures_total';
  readonly algorithms: readonly Algorithm[] = relayAlgorithms;
  readonly #host: RelayHost;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rules: RelayRules[] = [];
  readonly #hold: TrackingHold | undefined;
  #isLooking = false;
  /** Whether an address came or went since the last look began. */
  #noticed = false;

  constructor(host: RelayHost, { clock = systemClock, log = silentLog }: ModeOptions = {}, hold?: TrackingHold) {
    this.#host = host;
    this.#hold = hold;
    this.#clock = clock;
    this.#log = log;
  }

  /** In the network namespace of this process. */
  static ofKernel(options: ModeOptions = {}): UserspaceMode {
    return new UserspaceMode(new KernelRelayHost(options.clock), options, new TrackingHold(new KernelIptables()));
  }

  async probe(): Promise<void> {}

  async open(node: NodeContext): Promise<ModeRules> {
    if (this.#rules.length === 0) await this.#hold?.hold();
    const rules = new RelayRules(node, { host: this.#host, clock: this.#clock, log: this.#log });
    this.#rules.push(rules);
    return rules;
  }

  async verify(): Promise<boolean> {
    for (const rules of this.#rules) await rules.verify();
    return true;
  }

  watch(onTouched: () => void): { close(): void } {
    return this.#host.watch(() => void this.#look(onTouched));
  }

  listeners(): readonly Listener[] {
    return this.#rules.flatMap((rules) => rules.listeners());
  }

  async cleanUp(families: readonly TableFamily[] = tableFamilies): Promise<void> {
    for (const rules of this.#rules) rules.close();
    for (const family of families) await this.#host.change([], [...(await this.#host.held(family))]);
    await this.#hold?.release(families);
  }

  retire(): void {
    for (const rules of this.#rules) rules.retire();
  }

  /** Open connections end with the process that carries them. */
  close(): void {
    for (const rules of this.#rules) rules.close();
    this.#host.close();
    this.#hold?.close();
  }

  /** Our own changes are told, too. Thousands of addresses that come are as many notices, and each look reads all of them: one look at a time is enough. */
  async #look(onTouched: () => void): Promise<void> {
    this.#noticed = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#noticed) {
        this.#noticed = false;
        const right = await Promise.all(this.#rules.map((rules) => rules.verify()));
        if (right.includes(false)) onTouched();
      }
    } finally {
      this.#isLooking = false;
    }
  }
}
