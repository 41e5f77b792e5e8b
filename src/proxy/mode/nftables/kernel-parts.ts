/** Whether the kernel has all that the rules are made of: a table of one rule of each kind, which comes and goes in one transaction. */
import { isKnownError, KnownError } from '../../../errors/known-error.ts';
import type { Chain, Nftables, Op, SetDeclaration, TableFamily } from '../../../linux/nftables/table.ts';
import { affinitySet, onDemand, setsOf } from './layout.ts';
import { mostRules } from './source-list.ts';

const trialTable = 'kube-proxy-trial';

type Kernel = Pick<Nftables, 'commit'>;

interface Part {
  readonly name: string;
  readonly ops: readonly Op[];
}

function chain(name: string, ...rules: string[]): Op {
  return { op: 'add-chain', chain: { name, rules } };
}

/** A chain of the layout, with the set that it uses. */
function demanded(name: string, family: TableFamily, ranges: readonly string[] = []): Op[] {
  const wanted = onDemand(name, { family }, ranges);
  if (!wanted) throw new RangeError(`Cannot try the chain "${name}": there is no such`);
  return [...(wanted.set ? [addSet(wanted.set)] : []), { op: 'add-chain', chain: wanted.chain }];
}

function addSet(set: SetDeclaration): Op {
  return { op: 'add-set', set };
}

/** A shorter one has no set. */
const longList: readonly string[] = new Array<string>(mostRules + 1).fill('');

const natChain: Chain = { name: 'nat', hook: { type: 'nat', hook: 'input', priority: 300 }, rules: [] };

/** In an order in which each needs nothing new but itself. */
export function kernelParts(family: TableFamily): readonly Part[] {
  const maps = setsOf({ family });
  const version = family === 'ip' ? 4 : 6;
  const of = (name: string): Op[] => demanded(name, family);
  return [
    { name: 'maps of verdicts and endpoints', ops: maps.map(addSet) },
    { name: 'sets of ranges (nft_set_rbtree)', ops: demanded('sources-trial', family, longList) },
    { name: 'chains of NAT (nft_chain_nat)', ops: [{ op: 'add-chain', chain: natChain }] },
    { name: 'connection tracking (nft_ct)', ops: [chain('ct', 'ct state new accept')] },
    { name: `types of addresses (nft_fib_ipv${version})`, ops: [chain('fib', 'fib saddr type local accept')] },
    { name: `refusals (nft_reject_ipv${version})`, ops: [chain('refuse', 'meta l4proto tcp reject with tcp reset', 'reject')] },
    { name: 'masquerading (nft_masq)', ops: [chain('masq', 'masquerade fully-random')] },
    { name: 'destination NAT (nft_nat)', ops: of('recall-n/trial') },
    { name: 'sets that rules fill (nft_dynset)', ops: [addSet(affinitySet('n/learnt', { family })), ...of('learn-60-n/learnt').slice(1)] },
    { name: 'numbers drawn and counted (nft_numgen)', ops: [...of('lb-2'), ...of('rr-lb-2-tcp-80-n/trial')] },
    { name: 'hashes (nft_hash)', ops: of('hash-lb-64') },
  ];
}

async function tryParts(nft: Kernel, family: TableFamily, parts: readonly Part[]): Promise<void> {
  const ops: Op[] = [{ op: 'add-table' }, ...parts.flatMap((part) => part.ops), { op: 'delete-table' }];
  await nft.commit({ family, table: trialTable, ops });
}

/** Throws KERNEL_FEATURE_MISSING, which names the part. */
export async function probeParts(nft: Kernel, family: TableFamily): Promise<void> {
  const parts = kernelParts(family);
  try {
    await tryParts(nft, family, parts);
  } catch (err) {
    if (!isKnownError(err, 'KERNEL_FEATURE_MISSING')) throw err;
    const lacking = await firstLacking(nft, family, parts);
    if (!lacking) throw err;
    throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot use proxy mode "nftables": the kernel lacks ${lacking}`, {
      hint: err.hint ?? 'Use a kernel that has it',
      cause: err,
    });
  }
}

/** Each with those before it, some of which it uses. */
async function firstLacking(nft: Kernel, family: TableFamily, parts: readonly Part[]): Promise<string | undefined> {
  for (const [i, { name }] of parts.entries())
    try {
      await tryParts(nft, family, parts.slice(0, i + 1));
    } catch (err) {
      if (isKnownError(err, 'KERNEL_FEATURE_MISSING')) return name;
      throw err;
    }
  return undefined;
}
