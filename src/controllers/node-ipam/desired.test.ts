import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustCidr } from '../../ip/ip.ts';
import { freeSubnet } from './desired.ts';

test('freeSubnet() takes the first range that nobody has, also beside ranges of another length', () => {
  const cluster = mustCidr('10.244.0.0/22');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/24']]))?.text, '10.244.1.0/24');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/23']]))?.text, '10.244.2.0/24');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/22']]))?.text, undefined);
});
