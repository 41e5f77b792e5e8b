/** What the kernel answers: messages in a datagram, and refusals in words. */
import { KnownError } from '../../errors/known-error.ts';
import type { Op, Transaction } from './table.ts';

export const errnoNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  4: 'EINTR',
  11: 'EAGAIN',
  12: 'ENOMEM',
  16: 'EBUSY',
  17: 'EEXIST',
  22: 'EINVAL',
  24: 'EMFILE',
  28: 'ENOSPC',
  31: 'EMLINK',
  34: 'ERANGE',
  95: 'EOPNOTSUPP',
  105: 'ENOBUFS',
};

export interface Message {
  readonly type: number;
  readonly sequence: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** The messages of one datagram. */
export function* messagesIn(bytes: Uint8Array): Generator<Message> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 16 <= buffer.length; ) {
    const length = buffer.readUInt32LE(at);
    if (length < 16 || at + length > buffer.length) return;
    yield {
      type: buffer.readUInt16LE(at + 4),
      flags: buffer.readUInt16LE(at + 6),
      sequence: buffer.readUInt32LE(at + 8),
      body: buffer.subarray(at + 16, at + length),
    };
    at += (length + 3) & ~3;
  }
}

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
export function refusal(transaction: Transaction, op: Op | undefined, errno: number): KnownError {
  const name = errnoNames[errno] ?? `errno ${errno}`;
  const missing = errno === 95 || (errno === 2 && op?.op === 'add-rule');
  return new KnownError(
    missing ? 'KERNEL_FEATURE_MISSING' : 'KERNEL_REFUSED',
    `Cannot change table "${transaction.family} ${transaction.table}": ${describe(op)} failed with ${name}`,
    missing
      ? { hint: 'The kernel needs nft_nat, nft_masq, nft_ct, nft_fib_ipv4, nft_numgen and nft_reject_ipv4, version 5.9 or later' }
      : errno === 1
        ? { hint: 'Changing the packet filter takes CAP_NET_ADMIN in the network namespace' }
        : {},
  );
}
