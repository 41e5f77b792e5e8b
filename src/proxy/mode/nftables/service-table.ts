/** Keeps table `kube-proxy` of the kernel as the Services want it. One caller at a time. */
import { isKnownError } from '../../../errors/known-error.ts';
import { create, diff, diffPhases } from '../../../linux/nftables/diff.ts';
import type { KernelTable, Nftables, Op } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import type { ModeRules, SyncResult } from '../mode.ts';
import { ClientMemory } from './client-memory.ts';
import { slotsIn } from './held-slots.ts';
import { dynamicSets, slotSets, tableName } from './layout.ts';
import { Ledger } from './ledger.ts';
import { type PreviousSlots, withSlots } from './slots.ts';

/** So many can be read within some ten milliseconds. */
const fewElements = 20_000;

/** What a table needs of the kernel. */
type Kernel = Pick<Nftables, 'commit' | 'read' | 'readElements' | 'generation'>;

export class ServiceTable implements ModeRules {
  readonly #nft: Kernel;
  readonly #clients: ClientMemory;
  #node: NodeContext;
  #ledger: Ledger;
  #plans = new Map<string, ServicePlan>();
  /** For a node as it was before: endpoints keep their slots. */
  #plansBefore: ReadonlyMap<string, ServicePlan> = new Map();
  /** Of plans that the ledger has not seen yet. */
  #pending = new Map<string, ServicePlan | undefined>();
  /** What was there when this began, and at which of the kernel's generations: until the first sync. */
  #found: { readonly generation: number; readonly table: KernelTable | undefined } | undefined;
  /** Whether the kernel holds what the ledger calls settled. */
  #inStep = false;

  constructor(nft: Kernel, node: NodeContext) {
    this.#nft = nft;
    this.#clients = new ClientMemory(nft);
    this.#node = node;
    this.#ledger = new Ledger(node);
  }

  reset(node: NodeContext): void {
    this.#node = node;
    this.#ledger = new Ledger(node);
    this.#plansBefore = this.#plans;
    this.#plans = new Map();
    this.#pending = new Map();
    this.#inStep = false;
  }

  /** Learns from the kernel which slots endpoints hold. To be called before the first `put`. */
  async open(): Promise<void> {
    const generation = await this.#nft.generation();
    const table = await this.#nft.read(this.#node.family, tableName, dynamicSets);
    this.#found = { generation, table };
  }

  put(key: string, given: ServicePlan | undefined): void {
    const before = this.#plans.get(key);
    const plan = given && withSlots(given, this.#previous(before ?? this.#plansBefore.get(key)));
    if (plan) this.#plans.set(key, plan);
    else this.#plans.delete(key);
    this.#pending.set(key, plan);
    this.#clients.changed(key, before, plan);
  }

  #previous(plan: ServicePlan | undefined): PreviousSlots {
    if (!plan) return slotsIn(this.#found?.table);
    return ({ name, protocol }) => {
      const port = plan.ports.find((p) => p.name === name && p.protocol === protocol);
      const names = (list: PortPlan['cluster'] | undefined): string[] => (list ?? []).map((e) => e.name);
      return { cluster: names(port?.cluster), local: names(port?.local) };
    };
  }

  distrust(): void {
    this.#inStep = false;
  }

  async sync(): Promise<SyncResult> {
    this.#ledger.update(this.#pending);
    this.#pending = new Map();
    const full = !this.#inStep;
    const transactions = full ? await this.#difference() : this.#ledger.changes();
    this.#inStep = false;
    await (full ? this.#commitOrRebuild(transactions) : this.#commit(transactions));
    this.#ledger.settled();
    this.#inStep = true;
    await this.#clients.forget(this.#plans, this.#node, full);
    return { full, steps: transactions.flat().length };
  }

  async #difference(): Promise<Op[][]> {
    return diffPhases(await this.#readAll(), this.#ledger.table(), slotSets);
  }

  /** Reading takes the kernel long: what was read at the beginning still holds when nobody changed anything since. */
  async #readAll(): Promise<KernelTable | undefined> {
    const found = this.#found;
    this.#found = undefined;
    if (found && found.generation === (await this.#nft.generation())) return found.table;
    return this.#nft.read(this.#node.family, tableName, dynamicSets);
  }

  /** Makes the table new, in one transaction, when what is there cannot be changed into what is wanted. */
  async #commitOrRebuild(transactions: readonly (readonly Op[])[]): Promise<void> {
    try {
      await this.#commit(transactions);
    } catch (err) {
      if (!isKnownError(err, 'KERNEL_REFUSED')) throw err;
      // Adding first makes the deletion right in either case.
      await this.#commit([[{ op: 'add-table' }, { op: 'delete-table' }, ...create(this.#ledger.table())]]);
    }
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
      this.#inStep = false;
      return;
    }
    const held = await this.#nft.read(this.#node.family, tableName, new Set(wanted.sets.map((set) => set.name)));
    if (diff(held, { ...wanted, elements: new Map() }).length > 0) this.#inStep = false;
  }
}
