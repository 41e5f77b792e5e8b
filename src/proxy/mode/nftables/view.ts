/** What mode nftables shows of its table. */
import { dryRun } from '../../../linux/nftables/dry-run.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { opCommands, printTable } from '../../../linux/nftables/print.ts';
import type { KernelTable, Op, Table, TableFamily, Transaction } from '../../../linux/nftables/table.ts';
import { type RuleStep, trace } from '../../../linux/nftables/trace.ts';
import { Owners } from '../owners.ts';
import type { Change, Held, ModeView, Tracer, TraceStep } from '../view.ts';
import { explainTable } from './explain.ts';
import { slotsIn } from './held-slots.ts';
import { dynamicSets, setsOf, tableName } from './layout.ts';
import { NftablesMode, nftablesAlgorithms } from './nftables-mode.ts';
import { renderTable } from './render-table.ts';

function tracerOf(table: Table, nodeIps: readonly string[]): Tracer {
  const learnt = new Map<string, Map<string, string>>();
  return (packet, onStep, onWay) =>
    trace(table, packet, {
      nodeIps,
      learnt,
      ...(onStep ? { onStep: (step) => onStep(stepOf(step)) } : {}),
      ...(onWay ? { onWay: (steps) => onWay(steps.map(stepOf)) } : {}),
    });
}

function stepOf({ chain, rule, found }: RuleStep): TraceStep {
  return { place: chain, rule, ...(found === undefined ? {} : { found }) };
}

function documentOf({ family, name, sets, chains, elements }: Table): object {
  const filled = sets.map((set) => ({ ...set, elements: Object.fromEntries(elements.get(set.name) ?? []) }));
  return { family, name, sets: filled, chains };
}

/** Chains and sets of one Service have its name at their end. */
const ofOneService = /^(?:recall|learn-\d+|affinity-of|(?:nodeport-)?rr-(?:lb|local)-\d+-\w+-\d+)-(.+\/.+)$/;

function ownerOf(op: Op, command: string, owners: Owners): string | undefined {
  switch (op.op) {
    case 'add-elements':
    case 'delete-elements': {
      const key = /\{ (.*?)(?: : .*)? \}$/.exec(command)?.[1] ?? '';
      return op.set.name === 'hairpin' ? owners.ofEndpoint(key.split(' . ')[0] ?? '') : owners.ofKey(key);
    }
    case 'add-table':
    case 'delete-table':
      return undefined;
    default: {
      const name =
        'chain' in op ? (typeof op.chain === 'string' ? op.chain : op.chain.name) : typeof op.set === 'string' ? op.set : op.set.name;
      return ofOneService.exec(name)?.[1];
    }
  }
}

/** The commands of transactions, each with whose it is. */
export function changesOf(transactions: readonly Transaction[], owners: Owners): Change[] {
  return transactions.flatMap(({ family, table, ops }) =>
    ops.flatMap((op) =>
      opCommands(op, family, table).map((command): Change => {
        const service = ownerOf(op, command, owners);
        return { text: `nft ${command}`, ...(service === undefined ? {} : { service }) };
      }),
    ),
  );
}

/** What was read back, as a table to follow packets through. */
export function heldTable({ family, chains, sets }: KernelTable): { table: Table; unread: string[] } {
  const unread: string[] = [];
  const read = [...chains.values()].map(({ rules, ...chain }) => ({
    ...chain,
    rules: rules.flatMap(({ text }, i) => {
      if (text === undefined) unread.push(`rule ${i + 1} of chain ${chain.name}`);
      return text ?? [];
    }),
  }));
  const elements = new Map([...sets].map(([name, set]) => [name, set.elements]));
  return { table: { family, name: tableName, sets: setsOf({ family }), chains: read, elements }, unread };
}

export const view: ModeView = {
  name: 'nftables',
  algorithms: nftablesAlgorithms,
  render(plans, node) {
    const table = renderTable(plans, node);
    return { text: printTable(table), document: () => documentOf(table), tracer: (nodeIps) => tracerOf(table, nodeIps) };
  },
  explain: (plan, node) => explainTable(renderTable([plan], node), plan),
  async explainHeld(plan, node) {
    using nft = new KernelNftables();
    const held = await nft.read(node.family, tableName, dynamicSets);
    return explainTable(renderTable([plan], node, slotsIn(held)), plan);
  },
  dryRun(options = {}) {
    const transactions: Transaction[] = [];
    const nft = new KernelNftables();
    const mode = new NftablesMode(
      dryRun(nft, (transaction) => transactions.push(transaction)),
      { ...(options.clock ? { clock: options.clock } : {}), closes: true },
    );
    return { mode, changes: (plans) => changesOf(transactions, new Owners(plans)) };
  },
  async read(family: TableFamily): Promise<Held | undefined> {
    using nft = new KernelNftables();
    const held = await nft.read(family, tableName);
    if (!held) return undefined;
    const { table, unread } = heldTable(held);
    return {
      tracer: (nodeIps) => tracerOf(table, nodeIps),
      unread,
      stepOf: ({ table: name, chain, index, text }) =>
        name === tableName ? { place: chain, rule: text ?? `rule ${index + 1}` } : undefined,
    };
  },
};
