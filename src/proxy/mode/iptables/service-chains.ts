/** Keeps the chains of one address family as the Services want them. One caller at a time. */
import type { Clock } from '../../../clock/clock.ts';
import type { CountedRule } from '../../../linux/iptables/counted-rule.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import { sameRule } from '../../../linux/iptables/rule.ts';
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import { type Chains, type Section, sizeOf } from '../../../linux/iptables/section.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { ByteCounts, mostPairs, type PairBytes } from '../byte-counts.ts';
import type { FlowAccounting } from '../flow-accounting.ts';
import { type Connections, LeastConnections } from '../least-connection.ts';
import { frontendOf, MetTallies, PastCounts } from '../met-tallies.ts';
import type { ModeRules, ServiceCount, SyncResult } from '../mode.ts';
import { type Tally, talliesOf } from '../tallies.ts';
import { isOfService } from './chain-names.ts';
import { baseChanges, type Changes, isMuch, ledTo, type SharedChange, sameChain, sameText, sectionsOf, sharedChange } from './changes.ts';
import { Filling, isFilledLater, isLarge, waiting } from './filling.ts';
import { type IptablesOptions, type Layout, layoutOf, type SharedChain, sharedChains, splitName, tailOf } from './layout.ts';
import { inParts, type OwnChains } from './own-chains.ts';
import { Pace } from './pace.ts';
import { endpointChains, heldClients, heldOrder, type Known, orderOf, type PlacedPlan, place } from './placement.ts';
import { areCommented } from './render-rules.ts';
import { renderService, type ServiceRules } from './render-service.ts';
import { RuleCount } from './rule-count.ts';
import { trafficChains, trafficOf } from './traffic.ts';

/** After parts of a Service's chains were refused. */
const compareAgainMs = 1000;

export interface ServiceChainsOptions {
  readonly iptables: Pick<Iptables, 'save' | 'restore' | 'counted'>;
  readonly randomFully: boolean;
  readonly rules: IptablesOptions;
  /** What is counted for the fewest connections. */
  readonly connections: Connections;
  /** Absent: bytes are not counted. */
  readonly accounting?: FlowAccounting;
  readonly clock: Clock;
  /** How many parts of a Service's chains are written before others have their turn. Default 1. */
  readonly partsAtATime?: number;
  /** Lets the kernel route 127.0.0.0/8, for node ports there. */
  allowLocalnet(): void;
  /** Makes the account of packets to node ports there, which whoever cleans up takes away. False when there is none. Absent: there never is. */
  countLocalhost?(): Promise<boolean>;
}

export class ServiceChains implements ModeRules {
  readonly #options: ServiceChainsOptions;
  #layout: Layout;
  #plans = new Map<string, PlacedPlan>();
  /** For a node as it was before: clients keep their endpoints. */
  #plansBefore: ReadonlyMap<string, PlacedPlan> = new Map();
  /** Whether what an earlier proxy left was looked at. */
  #hasAdopted = false;
  /** Of Services that changed since the last sync began: the plan that the kernel has the rules of, if it is in step. */
  #before = new Map<string, PlacedPlan | undefined>();
  #commented = true;
  /** Whether the kernel held all of it after the last sync. */
  #inStep = false;
  /** Services whose chains are still to come. */
  readonly #fillings = new Map<string, Filling>();
  #fillTimer: { cancel(): void } | undefined;
  #isClosed = false;
  /** How often somebody had doubts about that. */
  #doubts = 0;
  readonly #loads: LeastConnections;
  readonly #bytes: ByteCounts | undefined;
  readonly #pastBytes = new PastCounts();
  readonly #count = new RuleCount();
  #partialFailures = 0;
  /** The last sync or change of weights: they come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(node: NodeContext, options: ServiceChainsOptions) {
    this.#options = options;
    this.#layout = layoutOf(node, options.rules, options.randomFully);
    this.#loads = new LeastConnections(node.family, options.connections, options.clock, () => this.#inTurn(() => this.#reweigh()));
    const { accounting, connections, clock } = options;
    this.#bytes = accounting && new ByteCounts(node.family, connections, accounting, clock);
  }

  open(): void {
    if (this.#layout.node.countsConnections) this.#bytes?.start();
  }

  reset(node: NodeContext): void {
    this.#layout = layoutOf(node, this.#options.rules, this.#options.randomFully);
    this.#plansBefore = this.#plans;
    this.#plans = new Map();
    this.#before = new Map();
    this.#loads.reset();
    this.open();
    this.distrust();
  }

  put(key: string, given: ServicePlan | undefined): void {
    const held = this.#plans.get(key);
    if (!this.#before.has(key)) this.#before.set(key, held);
    if (given) this.#plans.set(key, place(given, this.#known(key, held ?? this.#plansBefore.get(key))));
    else this.#plans.delete(key);
    this.#loads.follow(key, given);
  }

  #known(key: string, before: PlacedPlan | undefined): Known {
    return {
      clients: (chain) => before?.placed?.get(chain)?.clients ?? [],
      load: (port) => this.#loads.loadOf(key, port),
      order: (chain) => (before ? orderOf(before, chain) : []),
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Sends new connections to the endpoints with fewest. */
  async #reweigh(): Promise<void> {
    for (const [key, given] of this.#loads.moved) {
      const held = this.#plans.get(key);
      if (!this.#before.has(key)) this.#before.set(key, held);
      this.#plans.set(key, place(given, this.#known(key, held)));
    }
    // What the kernel holds is not known: the next sync finds out.
    if (this.#inStep) await this.#sync();
  }

  distrust(): void {
    this.#inStep = false;
    this.#doubts++;
  }

  sync(): Promise<SyncResult> {
    return this.#inTurn(() => this.#sync());
  }

  async counts(of?: 'ports' | 'endpoints'): Promise<readonly ServiceCount[]> {
    const { iptables } = this.#options;
    const counted = new Map<SharedChain, readonly CountedRule[]>();
    for (const chain of trafficChains) counted.set(chain, await iptables.counted(this.#layout.node.family, ...splitName(chain)));
    const endpoints = of === 'endpoints' ? await iptables.counted(this.#layout.node.family, 'nat') : [];
    const tallies = talliesOf(this.#plans.values());
    if (this.#bytes) this.#tellBytes(tallies, this.#bytes, await this.#bytes.pairs());
    return trafficOf(tallies, counted, endpoints);
  }

  #tellBytes(known: readonly Tally[], bytes: ByteCounts, pairs: ReadonlyMap<string, PairBytes>): void {
    const met = { frontends: Array.from(pairs.keys(), frontendOf), past: [this.#pastBytes], known };
    const carriers = new MetTallies(this.#plans.values(), this.#layout.node, met);
    bytes.forget(this.#pastBytes.addTo(carriers, pairs, pairs.size > mostPairs / 2));
  }

  close(): void {
    this.#isClosed = true;
    this.#fillTimer?.cancel();
    this.#loads.close();
    this.#bytes?.close();
  }

  get count(): Pick<RuleCount, 'total' | 'last'> {
    return this.#count;
  }

  /** How often the kernel refused what was not everything, so that everything was compared. */
  get partialFailures(): number {
    return this.#partialFailures;
  }

  async #sync(): Promise<SyncResult> {
    const doubts = this.#doubts;
    const full = !this.#inStep;
    const changed = this.#before;
    // What is put while weights go to the kernel is the next sync's.
    this.#before = new Map();
    const changes = full ? await this.#difference() : await this.#changes(changed);
    this.#inStep = false;
    this.#count.begin();
    const steps = await this.#apply(sectionsOf(changes)).catch((err: unknown) => {
      if (!full) this.#partialFailures++;
      throw err;
    });
    // Weights change beside those who have doubts.
    this.#inStep = doubts === this.#doubts;
    this.#fillLater();
    return { full, steps };
  }

  /** A sync that waits comes before the next parts. */
  #fillLater(): void {
    if (this.#fillings.size === 0 || !this.#inStep || this.#isClosed) return;
    this.#fillTimer ??= this.#options.clock.after(0, () => {
      this.#fillTimer = undefined;
      void this.#inTurn(() => this.#fill()).catch(() => {
        this.#partialFailures++;
        this.#compareLater();
      });
    });
  }

  /** Everything is compared with what the kernel holds; if that fails, too, whoever syncs next hears of it. */
  #compareLater(): void {
    this.distrust();
    if (this.#isClosed) return;
    this.#fillTimer ??= this.#options.clock.after(compareAgainMs, () => {
      this.#fillTimer = undefined;
      void this.sync().catch(() => {});
    });
  }

  async #fill(): Promise<void> {
    const [first] = this.#fillings;
    // After doubts the next comparison finds what is missing.
    if (!first || !this.#inStep) return;
    const [key, filling] = first;
    const doubts = this.#doubts;
    this.#inStep = false;
    const parts = filling.take(this.#options.partsAtATime ?? 1);
    if (parts.length > 0) {
      await this.#options.iptables.restore(
        this.#layout.node.family,
        parts.map((part) => ({ table: 'nat', ...part })),
      );
      for (const part of parts) filling.wrote(part);
    }
    this.#inStep = doubts === this.#doubts;
    if (filling.isDone && this.#inStep) {
      if (!this.#before.has(key)) this.#before.set(key, this.#plans.get(key));
      await this.#sync();
    }
    this.#fillLater();
  }

  /** Without anything to say no program is started. */
  async #apply(sections: Generator<Section>): Promise<number> {
    const first = sections.next();
    if (first.done) return 0;
    let steps = 0;
    const count = this.#count;
    const all = function* (): Generator<Section> {
      for (let next: IteratorResult<Section> = first; !next.done; next = sections.next()) {
        steps += sizeOf(next.value);
        count.wrote(next.value);
        yield next.value;
      }
    };
    await this.#options.iptables.restore(this.#layout.node.family, all());
    return steps;
  }

  #render(plan: PlacedPlan | undefined): ServiceRules {
    return plan ? renderService(plan, this.#layout, this.#commented) : nothing;
  }

  /** From what the kernel holds. */
  async #difference(): Promise<Changes> {
    if (this.#layout.localhostNodePorts) await this.#openLocalhost();
    this.#fillings.clear();
    const held = await this.#options.iptables.save(this.#layout.node.family);
    const nat: Chains = held.get('nat') ?? new Map();
    this.#adopt(nat);
    this.#commented = areCommented(this.#plans.values());
    const names = new Set<string>();
    const differing: PlacedPlan[] = [];
    const shared = new Map<SharedChain, string[]>(sharedChains.map((chain) => [chain, []]));
    this.#count.restart(this.#layout);
    const pace = new Pace();
    for (const plan of this.#plans.values()) {
      const rules = this.#render(plan);
      this.#count.add(rules);
      for (const name of rules.chains.keys()) names.add(name);
      if ([...rules.chains].some(([name, wanted]) => !sameChain(nat.get(name), wanted))) differing.push(plan);
      for (const [chain, own] of rules.shared) shared.get(chain)?.push(...own);
      await pace.rendered(rules);
    }
    return {
      ...baseChanges(held, this.#layout),
      own: inParts(this.#differing(differing, nat)),
      shared: this.#sharedDifference(held, shared),
      stale: [...nat.keys()].filter((name) => isOfService(name) && !names.has(name)),
    };
  }

  async #openLocalhost(): Promise<void> {
    this.#options.allowLocalnet();
    this.#layout = { ...this.#layout, countsLocalhost: (await this.#options.countLocalhost?.()) ?? false };
  }

  /** Clients keep the endpoints that an earlier proxy gave them, and endpoints their places. */
  #adopt(nat: Chains): void {
    if (this.#hasAdopted) return;
    this.#hasAdopted = true;
    for (const [key, plan] of this.#plans) {
      if (plan.algorithm !== 'source-hash' && !plan.placed) continue;
      const toAddress = endpointChains(plan);
      const rules = (chain: string): readonly string[] => nat.get(chain) ?? [];
      const clients = (chain: string): readonly string[] => heldClients(rules(chain), toAddress);
      const order = (chain: string): readonly string[] => heldOrder(rules(chain), toAddress);
      this.#plans.set(key, place(plan, { ...this.#known(key, plan), clients, order }));
    }
  }

  /** Rendered again, chain by chain, when they are sent: the text of all is many times what the plans are. */
  *#differing(plans: readonly PlacedPlan[], nat: Chains): Generator<OwnChains> {
    const led = ledTo(nat);
    for (const plan of plans) {
      const { chains: wanted } = this.#render(plan);
      const differing = [...wanted].filter(([name, rules]) => !sameChain(nat.get(name), rules));
      yield { chains: new Map(differing), wanted, held: (name) => (led.has(name) ? nat.get(name) : undefined), isSame: sameRule };
    }
  }

  #sharedDifference(held: Ruleset, wanted: ReadonlyMap<SharedChain, readonly string[]>): Map<SharedChain, SharedChange> {
    const changes = new Map<SharedChain, SharedChange>();
    for (const [chain, rules] of wanted) {
      const [table, name] = splitName(chain);
      const tail = tailOf(chain, this.#layout);
      changes.set(chain, sharedChange(held.get(table)?.get(name), [...rules, ...tail], tail));
    }
    return changes;
  }

  /** From what the kernel was told before. */
  async #changes(changed: ReadonlyMap<string, PlacedPlan | undefined>): Promise<Changes> {
    const filled: OwnChains[] = [];
    const stale: string[] = [];
    const shared = new Map<SharedChain, { gone: string[]; added: string[]; whole?: string[] }>();
    const pace = new Pace();
    for (const [key, planBefore] of changed) {
      const change = this.#changeOf(key, planBefore);
      if (!change) continue;
      const { before, after } = change;
      filled.push({
        chains: new Map([...after.chains].filter(([name, rules]) => !sameText(before.chains.get(name), rules))),
        wanted: after.chains,
        held: (name) => before.chains.get(name),
        isSame: isSameText,
      });
      for (const name of before.chains.keys()) if (!after.chains.has(name)) stale.push(name);
      for (const chain of new Set([...before.shared.keys(), ...after.shared.keys()])) {
        const had = before.shared.get(chain) ?? [];
        const has = after.shared.get(chain) ?? [];
        const change = shared.get(chain) ?? { gone: [], added: [] };
        change.gone.push(...had.filter((rule) => !has.includes(rule)));
        change.added.push(...has.filter((rule) => !had.includes(rule)));
        shared.set(chain, change);
      }
      for (const rules of [before, after]) await pace.rendered(rules);
    }
    await this.#whole(shared);
    return { base: [], own: inParts(filled), shared, ensured: [], stale };
  }

  /** Of one Service. Undefined while its chains are still filled. */
  #changeOf(key: string, planBefore: PlacedPlan | undefined): { readonly before: ServiceRules; readonly after: ServiceRules } | undefined {
    const plan = this.#plans.get(key);
    const filling = this.#fillings.get(key);
    if (filling && !filling.isDone && isLarge(plan)) return undefined;
    this.#fillings.delete(key);
    const before = filling?.held ?? this.#render(planBefore);
    let after = this.#render(plan);
    if (plan && !filling && isFilledLater(plan, before, after)) {
      const next = new Filling(planBefore ? before : this.#render(waiting(plan)), after);
      this.#fillings.set(key, next);
      after = next.meanwhile;
    }
    this.#count.remove(filling?.meanwhile ?? before);
    this.#count.add(after);
    return { before, after };
  }

  /** Gives the whole of those chains from which much goes. */
  async #whole(shared: ReadonlyMap<SharedChain, { readonly gone: readonly string[]; whole?: string[] }>): Promise<void> {
    const much = [...shared].filter(([, { gone }]) => isMuch(gone));
    if (much.length === 0) return;
    for (const [, change] of much) change.whole = [];
    const pace = new Pace();
    for (const [key, plan] of this.#plans) {
      const rules = this.#fillings.get(key)?.meanwhile ?? this.#render(plan);
      for (const [chain, change] of much) change.whole?.push(...(rules.shared.get(chain) ?? []));
      await pace.rendered(rules);
    }
    for (const [chain, change] of much) change.whole?.push(...tailOf(chain, this.#layout));
  }

  /** How many rules it may be, roughly: what it costs to read them. */
  get isLarge(): boolean {
    return this.#plans.size > largeServices;
  }
}

/** So many Services are read and compared within some hundred milliseconds of CPU. */
const largeServices = 1000;

const nothing: ServiceRules = { chains: new Map(), shared: new Map() };

const isSameText = (a: string, b: string): boolean => a === b;
