import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import { asFarAsAble, eitherFamily } from './lack.ts';
import type { TableFamily } from './nftables/table.ts';

const noTool = new KnownError('TOOL_MISSING', 'no tool');
const noKernel = new KnownError('KERNEL_FEATURE_MISSING', 'no kernel');
const refused = new KnownError('KERNEL_REFUSED', 'refused');

describe('eitherFamily()', () => {
  const cases: readonly [what: string, ip: Error | undefined, ip6: Error | undefined, outcome: TableFamily | Error][] = [
    ['gives what works in IPv4', undefined, noTool, 'ip'],
    ['gives what works in IPv6 alone, without a tool', noTool, undefined, 'ip6'],
    ['gives what works in IPv6 alone, without a part of the kernel', noKernel, undefined, 'ip6'],
    ['throws what IPv4 lacks where both lack something', noTool, noKernel, noTool],
    ['throws any other failure', refused, undefined, refused],
    ['throws any other failure of IPv6', noTool, refused, refused],
  ];
  for (const [what, ip, ip6, outcome] of cases)
    test(what, async () => {
      const work = async (family: TableFamily): Promise<TableFamily> => {
        const failure = family === 'ip' ? ip : ip6;
        if (failure) throw failure;
        return family;
      };
      if (outcome instanceof Error) await assert.rejects(eitherFamily(work), outcome);
      else assert.equal(await eitherFamily(work), outcome);
    });
});

test('asFarAsAble() passes over what is lacking, and over nothing else', async () => {
  for (const failure of [noTool, noKernel]) await asFarAsAble(() => Promise.reject(failure));
  await assert.rejects(
    asFarAsAble(() => Promise.reject(refused)),
    refused,
  );
});
