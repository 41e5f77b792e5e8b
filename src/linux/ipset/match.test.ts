import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpsetType } from './ipset.ts';
import { isInSet } from './match.ts';

const packet = { from: '10.244.1.2', sourcePort: 40_000, to: '10.96.0.1', port: 80, protocol: 'tcp' };

const cases: readonly [type: IpsetType, entry: string, sides: string, isIn: boolean][] = [
  ['hash:ip', '10.96.0.1', 'dst', true],
  ['hash:ip', '10.96.0.1', 'src', false],
  ['hash:ip,port', '10.96.0.1,tcp:80', 'dst,dst', true],
  ['hash:ip,port', '10.96.0.1,udp:80', 'dst,dst', false],
  ['hash:ip,port', '10.244.1.2,tcp:80', 'src,dst', true],
  ['hash:ip,port', '10.244.1.2,tcp:40000', 'src,src', true],
  ['hash:ip,port,ip', '10.96.0.1,tcp:80,10.244.1.2', 'dst,dst,src', true],
  ['hash:ip,port,ip', '10.96.0.1,tcp:80,10.244.1.3', 'dst,dst,src', false],
  ['hash:ip,port,net', '10.96.0.1,tcp:80,10.244.0.0/16', 'dst,dst,src', true],
  ['hash:ip,port,net', '10.96.0.1,tcp:80,10.245.0.0/16', 'dst,dst,src', false],
  ['hash:ip,port,net', '10.96.0.1,tcp:81,10.244.0.0/16', 'dst,dst,src', false],
  ['hash:ip,port,net', '10.96.0.1,tcp:80,10.244.1.2', 'dst,dst,src', true],
  ['bitmap:port', '80', 'dst', true],
  ['bitmap:port', '40000', 'src', true],
  ['bitmap:port', '81', 'dst', false],
];

for (const [type, entry, sides, isIn] of cases)
  test(`a packet is ${isIn ? '' : 'not '}in ${type} with ${entry}, asked by ${sides}`, () => {
    assert.equal(isInSet({ set: { name: 'S', type }, entries: new Set([entry]) }, packet, sides), isIn);
  });
