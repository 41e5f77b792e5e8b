import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Client } from '../client/client.ts';
import { healthCheckHosts, nodeContext, primaryFamily } from './node-state.ts';

const interfaceIps = ['127.0.0.1', '::1', '192.168.120.11', '10.0.0.11', '10.244.1.1', 'fd00::11'];

describe('nodePortAddresses', () => {
  const cases: readonly [what: string, wanted: string[] | undefined, ips: readonly string[] | 'all'][] = [
    ['are the primary address unless it is said otherwise', undefined, ['192.168.120.11']],
    ['are every address for "all"', ['all'], 'all'],
    ['are every address for the range of all', ['0.0.0.0/0'], 'all'],
    ['are those of the interfaces that a range names', ['10.0.0.0/8'], ['10.0.0.11', '10.244.1.1']],
    ['are every address where all ranges are of the other family', ['fd00::/8', '::/0'], 'all'],
    ['are none where no address is in a range', ['172.16.0.0/12', 'fd00::/8'], []],
    ['may be several', ['primary', '10.0.0.0/16'], ['10.0.0.11', '192.168.120.11']],
    // As in kube-proxy's nftables mode: a pod could not answer 127.0.0.1, so the connection would hang.
    ['never are loopback, asked for by name', ['localhost'], []],
    ['never are loopback, asked for by range', ['127.0.0.0/8', 'primary'], ['192.168.120.11']],
  ];
  for (const [what, nodePortAddresses, ips] of cases) {
    test(what, () => {
      const options = { client: {} as Client, nodeName: 'node1', nodeIps: ['192.168.120.11', '192.168.120.12'] };
      const node = nodeContext({ ...options, ...(nodePortAddresses ? { nodePortAddresses } : {}) }, undefined, 'ip', interfaceIps);
      assert.deepEqual(node.nodePortIps, ips);
    });
  }
});

describe('addresses for health checks', () => {
  const ofLinks = [...interfaceIps, 'fe80::1'];
  const cases: readonly [what: string, wanted: string[] | undefined, hosts: readonly string[]][] = [
    ['are primary addresses that a link has', undefined, ['192.168.120.11']],
    ['are every address for "all"', ['all'], ['']],
    ['are every address for the ranges of all', ['0.0.0.0/0', '::/0'], ['']],
    ['are every address for the range of all of one family', ['0.0.0.0/0'], ['']],
    [
      'are all of one family in order, beside a range of the other',
      ['0.0.0.0/0', 'fd00::/8'],
      ['10.0.0.11', '10.244.1.1', '127.0.0.1', '192.168.120.11', 'fd00::11'],
    ],
    ['are loopback, too', ['127.0.0.0/8', '10.0.0.0/16'], ['10.0.0.11', '127.0.0.1', '::1', 'fd00::11']],
    ['are loopback by name', ['localhost'], ['127.0.0.1', '::1']],
    ['never are those of one link alone', ['fe80::/10', '10.0.0.0/16'], ['10.0.0.11']],
    ['are none where no address is in a range', ['172.16.0.0/12', 'fd01::/16'], []],
  ];
  for (const [what, nodePortAddresses, hosts] of cases)
    test(what, () => {
      const options = { nodeName: 'node1', nodeIps: ['192.168.120.11', 'fd00::99'], ...(nodePortAddresses ? { nodePortAddresses } : {}) };
      assert.deepEqual(healthCheckHosts(options, undefined, ['ip', 'ip6'], ofLinks), hosts);
    });
});

describe("the node's addresses", () => {
  const addresses = ['192.0.2.1', 'fd00::1', 'fd00::2'].map((address) => ({ type: 'InternalIP', address }));
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, status: { addresses } };
  const cases: readonly [what: string, nodeIps: string[] | undefined, ip: string[], ip6: string[]][] = [
    ['are those of its Node', undefined, ['192.0.2.1'], ['fd00::1', 'fd00::2']],
    ['are those of flags', ['192.0.2.9', 'fd00::9'], ['192.0.2.9'], ['fd00::9']],
    ['are of the family that flags leave out those of its Node', ['192.0.2.9'], ['192.0.2.9'], ['fd00::1', 'fd00::2']],
  ];
  for (const [what, nodeIps, ip, ip6] of cases)
    test(what, () => {
      const options = { client: {} as Client, nodeName: 'node1', ...(nodeIps ? { nodeIps } : {}) };
      const of = (family: 'ip' | 'ip6'): readonly string[] => nodeContext(options, node, family, []).nodeIps;
      assert.deepEqual([of('ip'), of('ip6')], [ip, ip6]);
    });
});

test('primaryFamily() is that of the first address that is known, of flags before the Node', () => {
  const node = (...ips: string[]) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1' },
    status: { addresses: [{ type: 'Hostname', address: '10.0.0.1' }, ...ips.map((address) => ({ type: 'InternalIP', address }))] },
  });
  const of = (nodeIps: string[], ...ips: string[]): string | undefined => primaryFamily({ nodeName: 'node1', nodeIps }, node(...ips));
  assert.deepEqual([of([], 'fd00::1', '192.0.2.1'), of([], '192.0.2.1', 'fd00::1'), of([])], ['ip6', 'ip', undefined]);
  assert.deepEqual([of(['192.0.2.1'], 'fd00::1'), of(['fd00::1', '192.0.2.1'], '192.0.2.1')], ['ip', 'ip6']);
});
