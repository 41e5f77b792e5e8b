/**
 * The packet filter in memory: transactions that hold or fail as the kernel's do, `dump` as text. Batches are encoded
 * like real ones and thrown away, so what cannot be encoded fails here too.
 */
import { KnownError } from '../../errors/known-error.ts';
import { encodeBatch } from '../nftables/batch.ts';
import { printTable } from '../nftables/print.ts';
import { parseRule, parseVerdict } from '../nftables/rule.ts';
import { declarationText } from '../nftables/set.ts';
import type {
  Chain,
  CountedElement,
  Elements,
  KernelTable,
  Nftables,
  Op,
  SetDeclaration,
  SetNames,
  Table,
  TableFamily,
  Transaction,
} from '../nftables/table.ts';

class Refused extends Error {}

/** Names of the sets that a rule uses. */
function setsIn(rule: string): string[] {
  return parseRule(rule).flatMap((s) => ('map' in s ? [s.map] : 'set' in s ? [s.set] : []));
}

/** Names of the chains to which a rule leads. */
function chainsOf(rule: string): string[] {
  return parseRule(rule).flatMap((s) => (s.kind === 'verdict' && 'chain' in s.verdict ? [s.verdict.chain] : []));
}

function chainOfVerdict(data: string): string[] {
  const verdict = parseVerdict(data);
  return 'chain' in verdict ? [verdict.chain] : [];
}

/** One table, which refuses what the kernel refuses. */
class FakeTable {
  readonly chains: Map<string, Chain>;
  readonly sets: Map<string, SetDeclaration>;
  readonly elements: Map<string, Map<string, string>>;

  constructor(before?: FakeTable) {
    this.chains = new Map(before?.chains);
    this.sets = new Map(before?.sets);
    this.elements = new Map([...(before?.elements ?? [])].map(([name, elements]) => [name, new Map(elements)]));
  }

  /** Throws Refused. */
  change(op: Exclude<Op, { op: 'add-table' | 'delete-table' }>): void {
    switch (op.op) {
      case 'add-chain':
        this.chains.set(op.chain.name, { ...op.chain, rules: [] });
        for (const rule of op.chain.rules) this.#addRule(op.chain.name, rule);
        break;
      case 'flush-chain':
        this.chains.set(op.chain, { ...this.#chain(op.chain), rules: [] });
        break;
      case 'delete-chain':
        this.#chain(op.chain);
        if (this.#isNamed(op.chain)) throw new Refused('EBUSY');
        this.chains.delete(op.chain);
        break;
      case 'add-rule':
        this.#addRule(op.chain, op.rule);
        break;
      case 'add-set':
        this.sets.set(op.set.name, op.set);
        if (!this.elements.has(op.set.name)) this.elements.set(op.set.name, new Map());
        break;
      case 'delete-set':
        this.#deleteSet(op.set);
        break;
      case 'add-elements':
        for (const [key, data] of op.elements) this.#addElement(op.set, key, data);
        break;
      case 'delete-elements': {
        const elements = this.#elements(op.set.name);
        for (const key of op.keys) if (!elements.delete(key)) throw new Refused('ENOENT');
      }
    }
  }

  #chain(name: string): Chain {
    const chain = this.chains.get(name);
    if (!chain) throw new Refused('ENOENT');
    return chain;
  }

  #elements(set: string): Map<string, string> {
    const elements = this.elements.get(set);
    if (!elements) throw new Refused('ENOENT');
    return elements;
  }

  #addRule(chain: string, rule: string): void {
    if (setsIn(rule).some((set) => !this.sets.has(set))) throw new Refused('ENOENT');
    const held = this.#chain(chain);
    this.chains.set(chain, { ...held, rules: [...held.rules, rule] });
    for (const named of chainsOf(rule)) this.#chain(named);
  }

  #deleteSet(name: string): void {
    if (!this.sets.delete(name)) throw new Refused('ENOENT');
    const rules = [...this.chains.values()].flatMap((chain) => chain.rules);
    if (rules.some((rule) => setsIn(rule).includes(name))) throw new Refused('EBUSY');
    this.elements.delete(name);
  }

  #addElement(set: SetDeclaration, key: string, data: string): void {
    const elements = this.#elements(set.name);
    if ((elements.get(key) ?? data) !== data) throw new Refused('EEXIST');
    if (isVerdictMap(set)) for (const named of chainOfVerdict(data)) this.#chain(named);
    elements.set(key, data);
  }

  #isNamed(chain: string): boolean {
    const rules = [...this.chains.values()].flatMap((c) => c.rules);
    const verdicts = [...this.sets.values()].filter(isVerdictMap).flatMap((set) => [...(this.elements.get(set.name)?.values() ?? [])]);
    return rules.some((rule) => chainsOf(rule).includes(chain)) || verdicts.some((data) => chainOfVerdict(data).includes(chain));
  }
}

function isVerdictMap(set: SetDeclaration): boolean {
  return set.data?.[0] === 'verdict';
}

export class FakeNftables implements Nftables {
  readonly #tables = new Map<string, FakeTable>();
  readonly #watchers = new Set<{ readonly table: string; readonly onChange: () => void }>();
  readonly #packets = new Map<string, number>();
  #generation = 1;
  /** Messages of all transactions so far, the failed ones included. */
  messagesSent = 0;
  transactions: Transaction[] = [];
  /** Set to let the next transactions fail. */
  failure: KnownError | undefined;

  async commit(transaction: Transaction): Promise<void> {
    if (transaction.ops.length === 0) return;
    this.messagesSent += encodeBatch(transaction).messages;
    if (this.failure) throw this.failure;
    const name = `${transaction.family} ${transaction.table}`;
    const before = this.#tables.get(name);
    let after = before && new FakeTable(before);
    for (const op of transaction.ops) {
      try {
        after = step(after, op);
      } catch (err) {
        if (!(err instanceof Refused)) throw err;
        throw new KnownError('KERNEL_REFUSED', `Cannot change table "${name}": ${op.op} failed with ${err.message}`);
      }
    }
    if (after) this.#tables.set(name, after);
    else this.#tables.delete(name);
    this.transactions.push(transaction);
    this.#generation++;
  }

  watch(table: string, onChange: () => void): { close(): void } {
    const watcher = { table, onChange };
    this.#watchers.add(watcher);
    return { close: () => this.#watchers.delete(watcher) };
  }

  /** A transaction of somebody else. */
  async commitByOther(transaction: Transaction): Promise<void> {
    await this.commit(transaction);
    for (const { table, onChange } of this.#watchers) if (table === transaction.table) onChange();
  }

  /** The table as data; undefined when there is none. */
  table(family: TableFamily, name: string): Table | undefined {
    const state = this.#tables.get(`${family} ${name}`);
    return state && { family, name, chains: [...state.chains.values()], sets: [...state.sets.values()], elements: state.elements };
  }

  /** The table in nft's syntax. */
  dump(family: TableFamily, name: string): string {
    const table = this.table(family, name);
    return table ? printTable(table) : '';
  }

  async read(family: TableFamily, name: string, except: SetNames = new Set()): Promise<KernelTable | undefined> {
    const state = this.#tables.get(`${family} ${name}`);
    if (!state) return undefined;
    return {
      family,
      name,
      chains: new Map(
        [...state.chains].map(([key, c]) => [
          key,
          { ...c, rules: c.rules.map((text) => ({ text, is: (other: string) => other === text })) },
        ]),
      ),
      sets: new Map(
        [...state.sets].map(([key, set]) => [
          key,
          { declaration: declarationText(set), elements: except.has(key) ? new Map<string, string>() : new Map(state.elements.get(key)) },
        ]),
      ),
    };
  }

  async readElements(family: TableFamily, name: string, set: SetDeclaration): Promise<Elements> {
    return new Map(this.#tables.get(`${family} ${name}`)?.elements.get(set.name));
  }

  async readCounters(family: TableFamily, name: string, set: SetDeclaration): Promise<readonly CountedElement[]> {
    const elements = this.#tables.get(`${family} ${name}`)?.elements.get(set.name) ?? [];
    return Array.from(elements, ([key]) => ({ key, packets: this.#packets.get(`${family} ${name} ${set.name} ${key}`) ?? 0 }));
  }

  /** As if this many packets had met the rule that counts at this element. */
  count(family: TableFamily, name: string, set: string, key: string, packets: number): void {
    const elements = this.#tables.get(`${family} ${name}`)?.elements.get(set);
    if (!elements) throw new RangeError(`Cannot count: there is no set "${set}" in table "${family} ${name}"`);
    const at = `${family} ${name} ${set} ${key}`;
    this.#packets.set(at, (elements.has(key) ? (this.#packets.get(at) ?? 0) : 0) + packets);
    elements.set(key, '');
  }

  async generation(): Promise<number> {
    return this.#generation;
  }

  close(): void {}
}

function step(table: FakeTable | undefined, op: Op): FakeTable | undefined {
  if (op.op === 'add-table') return table ?? new FakeTable();
  if (!table) throw new Refused('ENOENT');
  if (op.op === 'delete-table') return undefined;
  table.change(op);
  return table;
}
