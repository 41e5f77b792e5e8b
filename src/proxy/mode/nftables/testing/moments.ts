/** What the kernel holds from one transaction to the next, and what a packet may meet of it. */
import { FakeClock } from '../../../../clock/testing/fake-clock.ts';
import { create } from '../../../../linux/nftables/diff.ts';
import type { Chain, Table } from '../../../../linux/nftables/table.ts';
import { FakeNftables } from '../../../../linux/testing/fake-nftables.ts';
import type { ServicePlan } from '../../../plan/service-plan.ts';
import { bareNode as node } from '../../../testing/sample-node.ts';
import { fewOffset, fewSlots, onDemand, tableName } from '../layout.ts';
import { ServiceTable } from '../service-table.ts';

export const nothing: Table = { family: 'ip', name: tableName, chains: [], sets: [], elements: new Map() };

type Moment = readonly [what: string, atFilter: Table, atNat: Table];

/**
 * All that a packet may meet while one table becomes the other in one transaction: it keeps the rules, of one hook or of both, and the transaction may fall between any
 * two of its lookups.
 */
export function momentsOf(before: Table, after: Table): readonly Moment[] {
  const sets = [...before.sets, ...after.sets];
  const elements = new Map([...before.elements, ...after.elements]);
  const mixed = { ...before, sets, elements };
  const verdicts = before.sets.filter(({ data }) => data?.[0] === 'verdict').map(({ name }) => name);
  const led = {
    ...mixed,
    elements: new Map([...elements, ...verdicts.map((name) => [name, before.elements.get(name) ?? new Map()] as const)]),
  };
  return [
    ['rules of before, elements of after', mixed, mixed],
    ['rules of before, led by elements of before to those of after', before, led],
    ['one hook before, one after', before, after],
    ['after', after, after],
  ];
}

export class Recorder {
  readonly nft: FakeNftables;
  readonly states: Table[] = [];

  constructor(nft: FakeNftables) {
    this.nft = nft;
  }

  /** Where the kernel holds this table. */
  static async over(table: Table): Promise<Recorder> {
    const nft = new FakeNftables();
    if (table !== nothing) await nft.commit({ family: 'ip', table: tableName, ops: create(table) });
    return new Recorder(nft);
  }

  get table(): Table {
    return this.nft.table('ip', tableName) ?? nothing;
  }

  async begin(): Promise<ServiceTable> {
    const { nft } = this;
    const commit: FakeNftables['commit'] = async (transaction) => {
      await nft.commit(transaction);
      this.states.push(this.table);
    };
    const reading = { read: nft.read.bind(nft), readElements: nft.readElements.bind(nft), readCounters: nft.readCounters.bind(nft) };
    const kernel = { commit, ...reading, generation: nft.generation.bind(nft), connections: { flowsOf: async () => [] } };
    const table = new ServiceTable(kernel, node, new FakeClock());
    await table.open();
    return table;
  }
}

/** The table as the version before made it: an element led each address to a chain, however few endpoints it had. */
export function ledByElements(table: Table): Table {
  const [services, endpoints] = ['services', 'endpoints'].map((name) => new Map(table.elements.get(name)));
  const chains = table.chains.map(
    (chain): Chain => ({ ...chain, rules: chain.rules.filter((rule) => !rule.includes(`offset ${fewOffset} `)) }),
  );
  const slot = (frontend: string, number: number): string => `${frontend} . ${number}`;
  for (const key of table.elements.get('endpoints')?.keys() ?? []) {
    const frontend = key.slice(0, key.lastIndexOf(' . '));
    if (key !== slot(frontend, fewOffset)) continue;
    const few = Array.from({ length: fewSlots }, (_, i) => endpoints?.get(slot(frontend, fewOffset + i)) ?? '');
    for (let i = 0; i < fewSlots; i++) endpoints?.delete(slot(frontend, fewOffset + i));
    const names = [...new Set(few)];
    for (const [i, name] of names.entries()) endpoints?.set(slot(frontend, i), name);
    services?.set(frontend, `goto lb-${names.length}`);
    const made = onDemand(`lb-${names.length}`, node)?.chain;
    if (made && !chains.some(({ name }) => name === made.name)) chains.unshift(made);
  }
  return {
    ...table,
    chains,
    elements: new Map([...table.elements, ['services', services ?? new Map()], ['endpoints', endpoints ?? new Map()]]),
  };
}

/** Makes the Service what it was before, and gives what then makes it what it is to be, transaction by transaction. */
export type Way = (before: ServicePlan | undefined) => Promise<{ recorder: Recorder; table: ServiceTable }>;

export const running: Way = async (before) => {
  const recorder = await Recorder.over(nothing);
  const table = await recorder.begin();
  table.put('n/a', before);
  await table.sync();
  return { recorder, table };
};

export const restarted: Way = async (before) => {
  const { recorder } = await running(before);
  return { recorder, table: await recorder.begin() };
};

/** Over a table as another version made it. */
export function upgraded(layoutBefore: (table: Table, before: ServicePlan | undefined) => Table): Way {
  return async (before) => {
    const { recorder: earlier } = await running(before);
    const recorder = await Recorder.over(layoutBefore(earlier.table, before));
    return { recorder, table: await recorder.begin() };
  };
}

export const first: Way = async () => {
  const recorder = await Recorder.over(nothing);
  return { recorder, table: await recorder.begin() };
};
