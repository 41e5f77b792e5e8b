/** A mode whose rules cannot serve node ports at loopback addresses, with relays of this process that do (KEP-6032). TCP alone, as upstream. */
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import type { Algorithm } from '../plan/algorithm.ts';
import type { NodeContext } from '../plan/node-context.ts';
import type { Listener } from '../plan/reserved.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { Relay } from '../relay/relay.ts';
import { TcpRelay } from '../relay/tcp-relay.ts';
import type { Mode, ModeFigure, ModeOptions, ModeRules, ServiceCount, SyncResult } from './mode.ts';
import type { RelayHost } from './userspace/relay-host.ts';
import { RelayRules } from './userspace/relay-rules.ts';

/** Every node has these addresses: none comes or goes. */
const loopback: RelayHost = {
  held: async () => new Set(),
  change: async () => {},
  listen: async (_protocol, address, route): Promise<Relay> => await TcpRelay.listen(address, route),
  watch: () => ({ close() {} }),
  close() {},
};

/** What is left of a Service for loopback: its node ports, if they are TCP. */
export function atLoopback(plan: ServicePlan): ServicePlan | undefined {
  const ports = plan.ports.flatMap((port) => {
    const frontends = port.frontends.filter(({ kind }) => kind === 'node-port');
    return port.protocol === 'tcp' && frontends.length > 0 ? [{ ...port, frontends }] : [];
  });
  return ports.length > 0 ? { ...plan, ports } : undefined;
}

class RulesWithRelays implements ModeRules {
  readonly #rules: ModeRules;
  readonly relays: RelayRules;

  constructor(rules: ModeRules, relays: RelayRules) {
    this.#rules = rules;
    this.relays = relays;
  }

  put(key: string, plan: ServicePlan | undefined): void {
    this.#rules.put(key, plan);
    this.relays.put(key, plan && atLoopback(plan));
  }

  reset(node: NodeContext): void {
    this.#rules.reset(node);
    this.relays.reset(loopbackNode(node));
  }

  async sync(): Promise<SyncResult> {
    const result = await this.#rules.sync();
    await this.relays.sync();
    return result;
  }

  async counts(of?: 'ports' | 'endpoints'): Promise<readonly ServiceCount[]> {
    return [...((await this.#rules.counts?.(of)) ?? []), ...(await this.relays.counts())];
  }

  distrust(): void {
    this.#rules.distrust();
    this.relays.distrust();
  }
}

function loopbackNode(node: NodeContext): NodeContext {
  return { ...node, nodePortIps: [node.family === 'ip' ? '127.0.0.1' : '::1'] };
}

export class LoopbackNodePorts implements Mode {
  readonly #mode: Mode;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #opened: RulesWithRelays[] = [];

  constructor(mode: Mode, { clock = systemClock, log = silentLog }: ModeOptions = {}) {
    this.#mode = mode;
    this.#clock = clock;
    this.#log = log;
  }

  get name(): string {
    return this.#mode.name;
  }

  get failuresMetric(): string {
    return this.#mode.failuresMetric;
  }

  get figures(): readonly ModeFigure[] {
    return this.#mode.figures ?? [];
  }

  get algorithms(): readonly Algorithm[] {
    return this.#mode.algorithms;
  }

  probe(): Promise<void> {
    return this.#mode.probe();
  }

  async open(node: NodeContext): Promise<ModeRules> {
    const relays = new RelayRules(loopbackNode(node), { host: loopback, clock: this.#clock, log: this.#log });
    const rules = new RulesWithRelays(await this.#mode.open(node), relays);
    this.#opened.push(rules);
    return rules;
  }

  async verify(isWaiting?: () => boolean): Promise<boolean> {
    for (const { relays } of this.#opened) await relays.verify();
    return await this.#mode.verify(isWaiting);
  }

  watch(onTouched: () => void): { close(): void } {
    return this.#mode.watch(onTouched);
  }

  listeners(): readonly Listener[] {
    return [...(this.#mode.listeners?.() ?? []), ...this.#opened.flatMap(({ relays }) => relays.listeners())];
  }

  cleanUp(families?: readonly TableFamily[]): Promise<void> {
    return this.#mode.cleanUp(families);
  }

  retire(): void {
    for (const { relays } of this.#opened) relays.retire();
  }

  close(): void {
    for (const { relays } of this.#opened) relays.close();
    this.#mode.close();
  }
}
