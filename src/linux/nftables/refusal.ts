/** The kernel's refusal of a transaction, in words. */
import { KnownError } from '../../errors/known-error.ts';
import type { NetlinkError } from '../netlink/netlink-error.ts';
import type { Op, Transaction } from './table.ts';

function describe(op: Op | undefined): string {
  if (!op) return 'the transaction';
  switch (op.op) {
    case 'add-chain':
      return `add chain "${op.chain.name}"`;
    case 'add-rule':
      return `add rule "${op.rule}"`;
    case 'add-set':
      return `add set "${op.set.name}"`;
    case 'add-elements':
      return `add ${op.elements.length} elements to "${op.set.name}"`;
    case 'delete-elements':
      return `delete ${op.keys.length} elements of "${op.set.name}"`;
    case 'delete-chain':
    case 'flush-chain':
      return `${op.op.replace('-', ' ')} "${op.chain}"`;
    case 'delete-set':
      return `delete set "${op.set}"`;
    default:
      return op.op.replace('-', ' ');
  }
}

/** The error for a step that the kernel refused. */
export function refusal(transaction: Transaction, op: Op | undefined, { errno, cause }: NetlinkError): KnownError {
  // The module of an expression, or of a chain's type.
  const isMissing = errno === 'ENOTSUP' || (errno === 'ENOENT' && (op?.op === 'add-rule' || op?.op === 'add-chain'));
  const hint = isMissing
    ? 'The kernel needs nft_nat, nft_masq, nft_ct, nft_fib_ipv4, nft_numgen and nft_reject_ipv4, version 5.9 or later'
    : errno === 'EPERM'
      ? 'Changing the packet filter takes CAP_NET_ADMIN in the network namespace'
      : undefined;
  return new KnownError(
    isMissing ? 'KERNEL_FEATURE_MISSING' : 'KERNEL_REFUSED',
    `Cannot change table "${transaction.family} ${transaction.table}": ${describe(op)} failed with ${errno}`,
    { ...(hint === undefined ? {} : { hint }), ...(cause === undefined ? {} : { cause }) },
  );
}
