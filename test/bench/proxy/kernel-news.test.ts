import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inNetns } from '../../../src/linux/netns.ts';
import { KernelNftables } from '../../../src/linux/nftables/kernel-nftables.ts';
import type { SetDeclaration } from '../../../src/linux/nftables/table.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../src/linux/testing/namespaces.ts';
import { KernelNews } from './kernel-news.ts';

const addresses: SetDeclaration = { name: 'addresses', key: ['ipv4_addr'] };

test('KernelNews tells when the kernel has an address, and of one that never comes that it did not', {
  skip: cannotMakeNamespaces,
}, async () => {
  await using net = new Namespaces();
  await net.add('n');
  const [news, nft] = inNetns(net.path('n'), () => [new KernelNews(), new KernelNftables()] as const);
  using _ = news;
  using kernel = nft;
  const begun = performance.now();
  const told = news.of('192.0.2.1', 90_000);
  const ops = [
    { op: 'add-table' },
    { op: 'add-set', set: addresses },
    { op: 'add-elements', set: addresses, elements: [['192.0.2.1', '']] },
  ] as const;
  await kernel.commit({ family: 'ip', table: 'news', ops });
  assert.ok((await told) >= begun);
  await assert.rejects(news.of('192.0.2.2', 20), /^Error: The kernel has not told of 192\.0\.2\.2 within 0\.02 s$/);
});
