/** Keeps table `kube-proxy` of the kernel as the Services want it. One caller at a time. */
import type { Clock } from '../../../clock/clock.ts';
import { isKnownError } from '../../../errors/known-error.ts';
import { diff, diffPhases, replacePhases } from '../../../linux/nftables/diff.ts';
import type { KernelTable, Nftables, Op, TableFamily } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { ByteCounts } from '../byte-counts.ts';
import type { FlowAccounting } from '../flow-accounting.ts';
import { type Connections, LeastConnections } from '../least-connection.ts';
import type { ModeRules, ServiceCount, SyncResult } from '../mode.ts';
import { ClientMemory } from './client-memory.ts';
import { ConnectionCounters } from './connection-counters.ts';
import { slotsIn } from './held-slots.ts';
import { dynamicSets, order, tableName } from './layout.ts';
import { Ledger } from './ledger.ts';
import { type PreviousSlots, type SlottedPlan, slotsOf, withSlots } from './slots.ts';

/** So many can be read within some ten milliseconds. */
const fewElements = 20_000;

/** What a table needs of the kernel. */
export interface TableKernel extends Pick<Nftables, 'commit' | 'read' | 'readElements' | 'readCounters' | 'generation'> {
  readonly connections: Connections;
  /** Absent: bytes are not counted. */
  readonly accounting?: FlowAccounting;
}

export class ServiceTable implements ModeRules {
  readonly #nft: TableKernel;
  readonly #clients: ClientMemory;
  readonly #loads: LeastConnections;
  readonly #counters: ConnectionCounters;
  readonly #bytes: ByteCounts | undefined;
  #node: NodeContext;
  #ledger: Ledger;
  #plans = new Map<string, SlottedPlan>();
  /** For a node as it was before: endpoints keep their slots. */
  #plansBefore: ReadonlyMap<string, SlottedPlan> = new Map();
  /** Of plans that the ledger has not seen yet. */
  #pending = new Map<string, SlottedPlan | undefined>();
  /** What was there when this began, and at which of the kernel's generations: until the first sync. */
  #found: { readonly generation: number; readonly table: KernelTable | undefined } | undefined;
  /** Whether the kernel holds what the ledger calls settled. */
  #inStep = false;
  /** How often somebody had doubts about that. */
  #doubts = 0;
  /** The last sync or change of weights: they come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(nft: TableKernel, node: NodeContext, clock: Clock) {
    this.#nft = nft;
    this.#clients = new ClientMemory(nft);
    this.#bytes = nft.accounting ? new ByteCounts(node.family, nft.connections, nft.accounting, clock) : undefined;
    this.#counters = new ConnectionCounters(nft, this.#bytes);
    this.#loads = new LeastConnections(node.family, nft.connections, clock, () => this.#inTurn(() => this.#reweigh()));
    this.#node = node;
    this.#ledger = new Ledger(node);
  }

  get family(): TableFamily {
    return this.#node.family;
  }

  reset(node: NodeContext): void {
    this.#node = node;
    this.#ledger = new Ledger(node);
    this.#plansBefore = this.#plans;
    this.#plans = new Map();
    this.#pending = new Map();
    this.#loads.reset();
    if (node.countsConnections) this.#bytes?.start();
    this.distrust();
  }

  /** Learns from the kernel which slots endpoints hold. To be called before the first `put`. */
  async open(): Promise<void> {
    const generation = await this.#nft.generation();
    const table = await this.#nft.read(this.#node.family, tableName, dynamicSets);
    this.#found = { generation, table };
    if (this.#node.countsConnections) this.#bytes?.start();
  }

  put(key: string, given: ServicePlan | undefined): void {
    const before = this.#plans.get(key);
    const plan = given && withSlots(given, this.#previous(before ?? this.#plansBefore.get(key)), (port) => this.#loads.loadOf(key, port));
    if (plan) this.#plans.set(key, plan);
    else this.#plans.delete(key);
    this.#pending.set(key, plan);
    this.#loads.follow(key, given);
    this.#clients.changed(key, before, plan);
    this.#counters.changed(before, plan);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Moves slots to the endpoints with fewest connections. */
  async #reweigh(): Promise<void> {
    for (const [key, given] of this.#loads.moved) {
      const moved = withSlots(given, this.#previous(this.#plans.get(key)), (port) => this.#loads.loadOf(key, port));
      this.#plans.set(key, moved);
      this.#pending.set(key, moved);
    }
    // What the kernel holds is not known: the next sync finds out.
    if (this.#inStep) await this.#apply();
  }

  #previous(plan: SlottedPlan | undefined): PreviousSlots {
    if (!plan) return slotsIn(this.#found?.table);
    return ({ name, protocol }) => {
      const port = plan.ports.find((p) => p.name === name && p.protocol === protocol);
      const names = (list: 'cluster' | 'local'): string[] => (port ? slotsOf(port, list).map((e) => e.name) : []);
      return { cluster: names('cluster'), local: names('local') };
    };
  }

  distrust(): void {
    this.#inStep = false;
    this.#doubts++;
  }

  sync(): Promise<SyncResult> {
    return this.#inTurn(() => this.#sync());
  }

  async #sync(): Promise<SyncResult> {
    const result = await this.#apply();
    await this.#clients.forget(this.#plans, this.#node, result.full);
    return result;
  }

  async #apply(): Promise<SyncResult> {
    const ledger = this.#ledger;
    const doubts = this.#doubts;
    ledger.update(this.#pending);
    this.#pending = new Map();
    const full = !this.#inStep;
    const transactions = full ? await this.#difference() : ledger.changes();
    this.#inStep = false;
    await (full ? this.#commitOrRebuild(transactions) : this.#commit(transactions));
    ledger.settled();
    // Weights change beside those who have doubts.
    this.#inStep = doubts === this.#doubts;
    return { full, steps: transactions.flat().length };
  }

  async #difference(): Promise<Op[][]> {
    return diffPhases(await this.#readAll(), this.#ledger.table(), order);
  }

  /** Reading takes the kernel long: what was read at the beginning still holds when nobody changed anything since. */
  async #readAll(): Promise<KernelTable | undefined> {
    const found = this.#found;
    this.#found = undefined;
    if (found && found.generation === (await this.#nft.generation())) return found.table;
    return this.#nft.read(this.#node.family, tableName, dynamicSets);
  }

  /** Makes the table new when what is there cannot be changed into what is wanted. */
  async #commitOrRebuild(transactions: readonly (readonly Op[])[]): Promise<void> {
    try {
      await this.#commit(transactions);
    } catch (err) {
      if (!isKnownError(err, 'KERNEL_REFUSED')) throw err;
      // Adding first makes the deletion right in either case.
      const [replaced = [], ...rest] = replacePhases(this.#ledger.table());
      await this.#commit([[{ op: 'add-table' }, ...replaced], ...rest]);
    }
  }

  /** In turn: a set may go with a sync. */
  counts(): Promise<ServiceCount[]> {
    return this.#inTurn(() => this.#counters.read(this.#plans.values(), this.#node));
  }

  /** Takes away what was counted for frontends that are gone. */
  async forgetCounts(all: boolean): Promise<void> {
    if (all || this.#counters.hasGone) await this.counts();
  }

  /** One after the other. */
  async #commit(transactions: readonly (readonly Op[])[]): Promise<void> {
    for (const ops of transactions) await this.#nft.commit({ family: this.#node.family, table: tableName, ops });
  }

  /**
   * Looks whether the kernel still holds the table; when not, the next sync compares everything. Reading all elements
   * takes the kernel quadratic time, so those of a large table are only looked at when `deep`.
   */
  async verify(deep: boolean): Promise<void> {
    if (!this.#inStep) return;
    const wanted = this.#ledger.table();
    const size = [...wanted.elements.values()].reduce((sum, elements) => sum + elements.size, 0);
    if (deep || size <= fewElements) {
      this.distrust();
      return;
    }
    const held = await this.#nft.read(this.#node.family, tableName, new Set(wanted.sets.map((set) => set.name)));
    if (diff(held, { ...wanted, elements: new Map() }).length > 0) this.distrust();
  }

  close(): void {
    this.#loads.close();
    this.#bytes?.close();
  }
}
