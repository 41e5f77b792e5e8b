import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inNetns } from '../../linux/netns.ts';
import { KernelNftables } from '../../linux/nftables/kernel-nftables.ts';
import { syncTable } from '../../linux/nftables/sync-table.ts';
import { FakeNftables } from '../../linux/testing/fake-nftables.ts';
import { cannotMakeNamespaces, Namespaces } from '../../linux/testing/namespaces.ts';
import { silentLog } from '../../observability/log.ts';
import type { Attachment } from '../attachment.ts';
import { hostPortTable, NftHostPorts, planHostPorts } from './host-ports.ts';

function pod(containerId: string, ip: string, hostPorts: Attachment['hostPorts']): Attachment {
  return { containerId, ifName: 'eth0', network: 'fairlead', netns: '', ip, pod: '', hostPorts };
}

const web = pod('a', '10.244.1.2', [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIp: '' },
  { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIp: '192.168.120.11' },
]);

describe('planHostPorts()', () => {
  test('puts ports of all addresses and of one address into maps of their own', () => {
    const table = planHostPorts([web], 'cni0');
    assert.deepEqual([...(table?.elements.get('any') ?? [])], [['tcp . 8080', '10.244.1.2 . 80']]);
    assert.deepEqual([...(table?.elements.get('bound') ?? [])], [['192.168.120.11 . udp . 53', '10.244.1.2 . 5353']]);
    assert.deepEqual([...(table?.elements.get('hairpin') ?? [])], [['10.244.1.2 . 10.244.1.2', '']]);
  });

  test('leaves out ports of addresses that are not of the family of the pod', () => {
    const port = { hostPort: 80, containerPort: 80, protocol: 'tcp' } as const;
    for (const hostIp of ['::1', '::', 'fd00::1', '2001:db8::7'])
      assert.equal(planHostPorts([pod('a', '10.244.1.2', [{ ...port, hostIp }])], 'cni0'), undefined, hostIp);
    const both = planHostPorts(
      [
        pod('a', '10.244.1.2', [
          { ...port, hostIp: '::1' },
          { ...port, hostIp: '127.0.0.1' },
        ]),
      ],
      'cni0',
    );
    assert.deepEqual([...(both?.elements.get('bound')?.keys() ?? [])], ['127.0.0.1 . tcp . 80']);
  });

  test('makes no table when no pod has a host port', () => {
    assert.equal(planHostPorts([pod('a', '10.244.1.2', [])], 'cni0'), undefined);
  });
});

for (const [version, ip] of [
  [4, '10.244.1.2'],
  [6, 'fd00:10:244:1::2'],
] as const)
  test(`the kernel holds host ports of IPv${version} as they were planned`, { skip: cannotMakeNamespaces }, async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables());
    const table = planHostPorts([pod('a', ip, [{ hostPort: 80, containerPort: 80, protocol: 'tcp', hostIp: '' }])], 'cni0', version);
    assert.ok(table);
    assert.ok(table.elements.get('loopback')?.has(version === 4 ? '1 . 127.0.0.0/8' : '58 . ::1'));
    assert.equal(await syncTable(nft, table), true);
    assert.equal(await syncTable(nft, table), false, 'a second look finds something to do');
  });

describe('NftHostPorts', () => {
  function make(): { nft: FakeNftables; forgotten: number[]; ports: NftHostPorts } {
    const nft = new FakeNftables();
    const forgotten: number[] = [];
    const forget = async (udp: ReadonlySet<number>): Promise<void> => void forgotten.push(...udp);
    return { nft, forgotten, ports: new NftHostPorts(nft, forget, silentLog, 'fl-no-such-bridge') };
  }

  test('has a table only while a pod has a host port', async () => {
    const { nft, ports } = make();
    await ports.add(pod('b', '10.244.1.3', []));
    assert.equal(await nft.read('ip', hostPortTable), undefined);
    await ports.add(web);
    assert.equal((await nft.read('ip', hostPortTable))?.sets.get('any')?.elements.size, 1);
    await ports.remove('a/eth0');
    assert.equal(await nft.read('ip', hostPortTable), undefined);
  });

  test('forgets UDP flows of the ports that came or went, no others', async () => {
    const { forgotten, ports } = make();
    await ports.add(web);
    await ports.remove('a/eth0');
    assert.deepEqual(forgotten, [53, 53]);
  });

  test('writes again what somebody deleted', async () => {
    const { nft, ports } = make();
    await ports.add(web);
    await nft.commit({ family: 'ip', table: hostPortTable, ops: [{ op: 'delete-table' }] });
    await ports.heal();
    assert.equal((await nft.read('ip', hostPortTable))?.sets.get('any')?.elements.size, 1);
  });

  test('does not remember a port that the kernel refused', async () => {
    const { nft, ports } = make();
    const { commit } = nft;
    nft.commit = async () => {
      throw new Error('the kernel refuses');
    };
    await assert.rejects(ports.add(web), /refuses/);
    nft.commit = commit;
    await ports.heal();
    assert.equal(await nft.read('ip', hostPortTable), undefined);
  });
});
