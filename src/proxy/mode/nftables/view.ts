/** What mode nftables shows of its table. */
import { dryRun } from '../../../linux/nftables/dry-run.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { opCommands, printTable } from '../../../linux/nftables/print.ts';
import type { KernelTable, Op, Table, TableFamily, Transaction } from '../../../linux/nftables/table.ts';
import { type RuleStep, trace } from '../../../linux/nftables/trace.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { Owners } from '../owners.ts';
import type { Change, Held, ModeView, Tracer, TraceStep } from '../view.ts';
import { explainTable } from './explain.ts';
import { slotsIn } from './held-slots.ts';
import { dynamicSets, setsOf, tableName } from './layout.ts';
import { NftablesMode, nftablesAlgorithms } from './nftables-mode.ts';
import { renderTable } from './render-table.ts';
import { asRangesSet, ListOwners } from './source-list.ts';

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

function ownerOf(op: Op, command: string, owners: Owners, lists: ListOwners): string | undefined {
  const name = nameOf(op);
  const owner = name === undefined ? undefined : lists.of(name);
  if (name === undefined || owner !== undefined) return owner;
  if (op.op !== 'add-elements' && op.op !== 'delete-elements') return ofOneService.exec(name)?.[1];
  const key = /\{ (.*?)(?: : .*)? \}$/.exec(command)?.[1] ?? '';
  return name === 'hairpin' ? owners.ofEndpoint(key.split(' . ')[0] ?? '') : owners.ofKey(key);
}

/** Of the chain or the set that it is about. */
function nameOf(op: Op): string | undefined {
  if ('chain' in op) return typeof op.chain === 'string' ? op.chain : op.chain.name;
  if ('set' in op) return typeof op.set === 'string' ? op.set : op.set.name;
  return undefined;
}

/** The commands of transactions, each with whose it is. */
export function changesOf(transactions: readonly Transaction[], plans: readonly ServicePlan[]): Change[] {
  const [owners, lists] = [new Owners(plans), new ListOwners(plans)];
  return transactions.flatMap(({ family, table, ops }) =>
    ops.flatMap((op) =>
      opCommands(op, family, table).map((command): Change => {
        const service = ownerOf(op, command, owners, lists);
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
  const ranges = [...sets.keys()].flatMap((name) => asRangesSet(name, { family }) ?? []);
  return { table: { family, name: tableName, sets: [...setsOf({ family }), ...ranges], chains: read, elements }, unread };
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
    return { mode, changes: (plans) => changesOf(transactions, [...plans]) };
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
