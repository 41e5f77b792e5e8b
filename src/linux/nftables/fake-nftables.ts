/**
 * The packet filter in memory: transactions that hold or fail as the kernel's do, `dump` as text. Batches are encoded
 * like real ones and thrown away, so what cannot be encoded fails here too.
 */
import { KnownError } from '../../errors/known-error.ts';
import { encodeBatch } from './batch.ts';
import { printTable } from './print.ts';
import { parseRule, parseVerdict } from './rule.ts';
import { declarationText } from './set.ts';
import type { Chain, Elements, KernelTable, Nftables, Op, SetDeclaration, SetNames, Table, TableFamily, Transaction } from './table.ts';

interface State {
  readonly chains: Map<string, Chain>;
  readonly sets: Map<string, SetDeclaration>;
  readonly elements: Map<string, Map<string, string>>;
}

function copy(state: State): State {
  return {
    chains: new Map(state.chains),
    sets: new Map(state.sets),
    elements: new Map([...state.elements].map(([name, elements]) => [name, new Map(elements)])),
  };
}

class Refused extends Error {}

/** Names of the sets that a rule uses. */
function setsIn(rule: string): string[] {
  return parseRule(rule).flatMap((s) => ('map' in s ? [s.map] : 'set' in s ? [s.set] : []));
}

function chainsIn(state: State): Set<string> {
  const named = new Set<string>();
  for (const chain of state.chains.values())
    for (const rule of chain.rules)
      for (const s of parseRule(rule)) if (s.kind === 'verdict' && 'chain' in s.verdict) named.add(s.verdict.chain);
  for (const set of state.sets.values()) {
    if (set.data?.[0] !== 'verdict') continue;
    for (const data of state.elements.get(set.name)?.values() ?? []) {
      const verdict = parseVerdict(data);
      if ('chain' in verdict) named.add(verdict.chain);
    }
  }
  return named;
}

export class FakeNftables implements Nftables {
  readonly #tables = new Map<string, State>();
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
    let state = before && copy(before);
    for (const op of transaction.ops) {
      try {
        state = this.#step(state, op);
      } catch (err) {
        if (!(err instanceof Refused)) throw err;
        throw new KnownError('KERNEL_REFUSED', `Cannot change table "${name}": ${op.op} failed with ${err.message}`);
      }
    }
    if (state) this.#tables.set(name, state);
    else this.#tables.delete(name);
    this.transactions.push(transaction);
    this.#generation++;
  }

  #step(state: State | undefined, op: Op): State | undefined {
    if (op.op === 'add-table') return state ?? { chains: new Map(), sets: new Map(), elements: new Map() };
    if (!state) throw new Refused('ENOENT');
    if (op.op === 'delete-table') return undefined;
    this.#change(state, op);
    return state;
  }

  #change(state: State, op: Op): void {
    const chain = (name: string): Chain => state.chains.get(name) ?? refuse('ENOENT');
    switch (op.op) {
      case 'add-chain':
        state.chains.set(op.chain.name, { ...op.chain, rules: [] });
        for (const rule of op.chain.rules) this.#change(state, { op: 'add-rule', chain: op.chain.name, rule });
        break;
      case 'flush-chain':
        state.chains.set(op.chain, { ...chain(op.chain), rules: [] });
        break;
      case 'delete-chain':
        chain(op.chain);
        if (chainsIn(state).has(op.chain)) refuse('EBUSY');
        state.chains.delete(op.chain);
        break;
      case 'add-rule': {
        for (const set of setsIn(op.rule)) if (!state.sets.has(set)) refuse('ENOENT');
        const held = chain(op.chain);
        state.chains.set(op.chain, { ...held, rules: [...held.rules, op.rule] });
        for (const named of chainsIn(state)) chain(named);
        break;
      }
      case 'add-set':
        state.sets.set(op.set.name, op.set);
        if (!state.elements.has(op.set.name)) state.elements.set(op.set.name, new Map());
        break;
      case 'delete-set':
        if (!state.sets.delete(op.set)) refuse('ENOENT');
        for (const { rules } of state.chains.values()) if (rules.some((rule) => setsIn(rule).includes(op.set))) refuse('EBUSY');
        state.elements.delete(op.set);
        break;
      case 'add-elements': {
        const elements = state.elements.get(op.set.name) ?? refuse('ENOENT');
        for (const [key, data] of op.elements) {
          if ((elements.get(key) ?? data) !== data) refuse('EEXIST');
          elements.set(key, data);
        }
        for (const named of chainsIn(state)) chain(named);
        break;
      }
      case 'delete-elements': {
        const elements = state.elements.get(op.set.name) ?? refuse('ENOENT');
        for (const key of op.keys) if (!elements.delete(key)) refuse('ENOENT');
        break;
      }
      default:
        break;
    }
  }

  readonly #watchers = new Set<{ readonly table: string; readonly onChange: () => void }>();

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
        [...state.chains].map(([key, c]) => [key, { ...c, rules: c.rules.map((text) => ({ is: (other: string) => other === text })) }]),
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

  async generation(): Promise<number> {
    return this.#generation;
  }

  close(): void {}
}

function refuse(errno: string): never {
  throw new Refused(errno);
}
