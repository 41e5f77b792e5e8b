import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import { inNetns } from '../../../linux/netns.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { refusal } from '../../../linux/nftables/refusal.ts';
import type { Op, Transaction } from '../../../linux/nftables/table.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import { kernelParts, probeParts } from './kernel-parts.ts';
import { NftablesMode } from './nftables-mode.ts';

/** A kernel that has no module for some steps. */
class LackingNftables extends FakeNftables {
  readonly #lacks: (text: string) => boolean;

  constructor(lacks: (text: string) => boolean) {
    super();
    this.#lacks = lacks;
  }

  override async commit(transaction: Transaction): Promise<void> {
    const isLacking = (op: Op): boolean => this.#lacks(JSON.stringify(op));
    const refused = transaction.ops.find(isLacking);
    if (refused) throw refusal(transaction, refused, new NetlinkError(refused.op === 'add-set' ? 'ENOTSUP' : 'ENOENT', 'try'));
    await super.commit(transaction);
  }
}

describe('probeParts()', () => {
  test('leaves nothing in a kernel that has all', async () => {
    const nft = new FakeNftables();
    await probeParts(nft, 'ip');
    assert.equal(await nft.read('ip', 'kube-proxy-trial'), undefined);
  });

  const lacking: readonly (readonly [words: string, part: RegExp])[] = [
    ['"verdict"', /lacks maps/],
    ['"interval":true', /nft_set_rbtree/],
    ['"type":"nat"', /nft_chain_nat/],
    ['ct state', /nft_ct/],
    ['fib ', /nft_fib_ipv4/],
    ['reject', /nft_reject_ipv4/],
    ['masquerade fully-random', /nft_masq/],
    ['"dnat ', /nft_nat/],
    ['update @', /nft_dynset/],
    ['mod 2 map', /nft_numgen/],
    ['numgen inc', /nft_numgen/],
    ['jhash', /nft_hash/],
  ];
  for (const [words, part] of lacking)
    test(`names what a kernel lacks that has no ${words}`, async () => {
      const mode = new NftablesMode(new LackingNftables((text) => text.includes(words)));
      await assert.rejects(mode.probe(), { code: 'KERNEL_FEATURE_MISSING', message: part, hint: /modprobe|needs nft_nat/ });
    });

  test('finds out for each family by itself, when it is opened', async () => {
    const nft = new LackingNftables((text) => text.includes('dnat ip6'));
    const mode = new NftablesMode(nft);
    await mode.probe();
    await mode.open(sampleNode);
    await assert.rejects(mode.open({ ...sampleNode, family: 'ip6' }), { code: 'KERNEL_FEATURE_MISSING', message: /nft_nat/ });
  });

  test('takes a kernel that has all for IPv6 alone', async () => {
    const nft = new LackingNftables((text) => text.includes('ip daddr') || text.includes('dnat ip '));
    const mode = new NftablesMode(nft);
    await mode.probe();
    await mode.open({ ...sampleNode, family: 'ip6' });
    await assert.rejects(mode.open(sampleNode), { code: 'KERNEL_FEATURE_MISSING', message: /lacks maps/ });
  });

  test('names the parts of IPv6 by their names', async () => {
    const nft = new LackingNftables((text) => text.includes('fib '));
    await assert.rejects(probeParts(nft, 'ip6'), { message: /nft_fib_ipv6/ });
  });

  test('tries each part that it names', () => {
    assert.equal(
      new Set(lacking.map(([, part]) => kernelParts('ip').findIndex(({ name }) => part.test(`lacks ${name}`)))).size,
      kernelParts('ip').length,
    );
  });

  test('tells another refusal as it is', async () => {
    const nft = new FakeNftables();
    nft.commit = async (transaction) => {
      throw refusal(transaction, undefined, new NetlinkError('EPERM', 'try'));
    };
    await assert.rejects(probeParts(nft, 'ip'), { code: 'KERNEL_REFUSED' });
  });

  test('is agreed to by the kernel, which has nothing of it afterwards', { skip: cannotMakeNamespaces }, async () => {
    await using net = new Namespaces();
    await net.add('a');
    using nft = inNetns(net.path('a'), () => new KernelNftables());
    for (const family of ['ip', 'ip6'] as const) await probeParts(nft, family);
    assert.equal((await net.run('a', 'nft', ['list', 'ruleset'])).stdout, '');
  });
});
