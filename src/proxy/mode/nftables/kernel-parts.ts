/** Whether the kernel has all that the rules are made of: a table of one rule of each kind, which comes and goes in one transaction. */
import { isKnownError, KnownError } from '../../../errors/known-error.ts';
import type { Chain, Nftables, Op, SetDeclaration } from '../../../linux/nftables/table.ts';
import { affinitySet, onDemand, setsOf } from './layout.ts';

const node = { family: 'ip' } as const;
const trialTable = 'kube-proxy-trial';
const rangesOf = 'allowed-sources';

interface Part {
  readonly name: string;
  /** In an order in which each needs nothing new but itself. */
  readonly ops: readonly Op[];
}

function chain(name: string, ...rules: string[]): Op {
  return { op: 'add-chain', chain: { name, rules } };
}

/** A chain of the layout, with the set that it uses. */
function demanded(name: string): Op[] {
  const wanted = onDemand(name, node);
  if (!wanted) throw new RangeError(`Cannot try the chain "${name}": there is no such`);
  return [...(wanted.set ? [addSet(wanted.set)] : []), { op: 'add-chain', chain: wanted.chain }];
}

function addSet(set: SetDeclaration): Op {
  return { op: 'add-set', set };
}

const natChain: Chain = { name: 'nat', hook: { type: 'nat', hook: 'input', priority: 300 }, rules: [] };
const maps = setsOf(node);

export const kernelParts: readonly Part[] = [
  { name: 'maps of verdicts and endpoints', ops: maps.filter(({ name }) => name !== rangesOf).map(addSet) },
  { name: 'sets of ranges (nft_set_pipapo, Linux 5.6)', ops: maps.filter(({ name }) => name === rangesOf).map(addSet) },
  { name: 'chains of NAT (nft_chain_nat)', ops: [{ op: 'add-chain', chain: natChain }] },
  { name: 'connection tracking (nft_ct)', ops: [chain('ct', 'ct state new accept')] },
  { name: 'types of addresses (nft_fib_ipv4)', ops: [chain('fib', 'fib saddr type local accept')] },
  { name: 'refusals (nft_reject_ipv4)', ops: [chain('refuse', 'meta l4proto tcp reject with tcp reset', 'reject')] },
  { name: 'masquerading (nft_masq)', ops: [chain('masq', 'masquerade fully-random')] },
  { name: 'destination NAT (nft_nat)', ops: demanded('recall-n/trial') },
  { name: 'sets that rules fill (nft_dynset)', ops: [addSet(affinitySet('n/learnt', node)), ...demanded('learn-60-n/learnt').slice(1)] },
  { name: 'numbers drawn and counted (nft_numgen)', ops: [...demanded('lb-2'), ...demanded('rr-lb-2-tcp-80-n/trial')] },
  { name: 'hashes (nft_hash)', ops: demanded('hash-lb-64') },
];

async function tryParts(nft: Nftables, parts: readonly Part[]): Promise<void> {
  const ops: Op[] = [{ op: 'add-table' }, ...parts.flatMap((part) => part.ops), { op: 'delete-table' }];
  await nft.commit({ family: node.family, table: trialTable, ops });
}

/** Throws KERNEL_FEATURE_MISSING, which names the part. */
export async function probeParts(nft: Nftables): Promise<void> {
  try {
    await tryParts(nft, kernelParts);
  } catch (err) {
    if (!isKnownError(err, 'KERNEL_FEATURE_MISSING')) throw err;
    const lacking = await firstLacking(nft);
    if (!lacking) throw err;
    throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot use proxy mode "nftables": the kernel lacks ${lacking}`, {
      hint: err.hint ?? 'Use a kernel that has it',
      cause: err,
    });
  }
}

/** Each with those before it, some of which it uses. */
async function firstLacking(nft: Nftables): Promise<string | undefined> {
  for (const [i, { name }] of kernelParts.entries())
    try {
      await tryParts(nft, kernelParts.slice(0, i + 1));
    } catch (err) {
      if (isKnownError(err, 'KERNEL_FEATURE_MISSING')) return name;
      throw err;
    }
  return undefined;
}
