import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NetlinkError } from '../netlink/netlink-error.ts';
import { refusal } from './refusal.ts';
import type { Op, SetDeclaration } from './table.ts';

const set: SetDeclaration = { name: 's', key: ['ipv4_addr'] };

describe('refusal()', () => {
  const steps: readonly [op: Op | undefined, words: string][] = [
    [undefined, 'the transaction'],
    [{ op: 'add-table' }, 'add table'],
    [{ op: 'delete-table' }, 'delete table'],
    [{ op: 'add-chain', chain: { name: 'c', rules: [] } }, 'add chain "c"'],
    [{ op: 'flush-chain', chain: 'c' }, 'flush chain "c"'],
    [{ op: 'delete-chain', chain: 'c' }, 'delete chain "c"'],
    [{ op: 'add-rule', chain: 'c', rule: 'drop' }, 'add rule "drop"'],
    [{ op: 'add-set', set }, 'add set "s"'],
    [{ op: 'delete-set', set: 's' }, 'delete set "s"'],
    [{ op: 'add-elements', set, elements: [['10.0.0.1', '']] }, 'add 1 elements to "s"'],
    [{ op: 'delete-elements', set, keys: ['10.0.0.1', '10.0.0.2'] }, 'delete 2 elements of "s"'],
  ];
  for (const [op, words] of steps)
    test(`names the step: ${words}`, () => {
      const err = refusal({ family: 'ip', table: 't', ops: [] }, op, new NetlinkError('EINVAL', 'x', 'said so'));
      assert.equal(err.message, `Cannot change table "ip t": ${words} failed with EINVAL`);
      assert.deepEqual([err.code, err.hint, (err.cause as Error).message], ['KERNEL_REFUSED', undefined, 'said so']);
    });

  const rule: Op = { op: 'add-rule', chain: 'c', rule: 'drop' };
  const chain: Op = { op: 'delete-chain', chain: 'c' };
  const hints: readonly [errno: string, op: Op, code: string, hint: RegExp | undefined][] = [
    ['ENOTSUP', chain, 'KERNEL_FEATURE_MISSING', /nft_nat.*5\.9/],
    ['ENOENT', rule, 'KERNEL_FEATURE_MISSING', /nft_nat/],
    ['ENOENT', { op: 'add-chain', chain: { name: 'c', rules: [] } }, 'KERNEL_FEATURE_MISSING', /nft_nat/],
    ['ENOENT', chain, 'KERNEL_REFUSED', undefined],
    ['EPERM', rule, 'KERNEL_REFUSED', /CAP_NET_ADMIN/],
    ['EBUSY', rule, 'KERNEL_REFUSED', undefined],
  ];
  for (const [errno, op, code, hint] of hints)
    test(`says what to do about ${errno} of ${op.op}`, () => {
      const err = refusal({ family: 'ip', table: 't', ops: [] }, op, new NetlinkError(errno, 'x'));
      assert.deepEqual([err.code, err.cause], [code, undefined]);
      if (hint) assert.match(err.hint ?? '', hint);
      else assert.equal(err.hint, undefined);
    });
});
