import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SubnetLease } from '../../lease/lease.ts';
import { backendConformance } from '../testing/conformance.ts';
import { hostGw } from './host-gw.ts';

backendConformance(hostGw, { Type: 'host-gw' });

const underlay = { name: 'eth0', mtu: 1500, ip: '192.168.120.11', prefix: 24 };
const peer: SubnetLease = { node: 'b', podCidr: '10.244.2.0/24', publicIp: '192.168.120.12', type: 'host-gw', data: null, since: '' };

describe('host-gw', () => {
  test('makes plain routes over the underlay, and nothing else', () => {
    const own = { ...peer, podCidr: '10.244.1.0/24', publicIp: underlay.ip, data: null };
    assert.deepEqual(hostGw({ Type: 'host-gw' }).plan({ own, peers: [{ ...peer, data: null }], underlay }), {
      mtu: 1500,
      links: [],
      routes: [{ dst: '10.244.2.0/24', link: 'eth0', gateway: '192.168.120.12', onlink: false }],
      neighbours: [],
      sysctls: {},
      chains: [],
    });
  });

  test('leaves out a node that is not on the same link, and says why', () => {
    assert.deepEqual(hostGw({ Type: 'host-gw' }).readPeer({ ...peer, publicIp: '192.168.121.12' }, underlay), {
      kind: 'refused',
      why: 'its public-ip 192.168.121.12 is not on link "eth0" (192.168.120.0/24), as host-gw needs',
    });
  });

  test("tells nothing but the link's address", () => {
    const own = { family: 4, told: undefined, links: [], publicIp: underlay.ip, underlay, randomMac: () => '' } as const;
    const backend = hostGw({ Type: 'host-gw' });
    assert.deepEqual([backend.leaseData(own), backend.needsLinkAddress], [null, true]);
  });
});
