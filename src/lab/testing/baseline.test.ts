import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Baseline, diffBaseline } from './baseline.ts';

const empty: Baseline = {
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  neighbours: [],
  netns: [],
  mounts: [],
  cgroups: [],
  sysctls: [],
  nft: [],
  iptables: [],
  processes: [],
};

test('diffBaseline() finds nothing between equal machines', () => {
  assert.deepEqual(diffBaseline(empty, { ...empty }), []);
});

test('diffBaseline() names what appeared and what vanished', () => {
  const after = { ...empty, sysctls: ['/proc/sys/net/ipv4/ip_forward=1'] };
  const before = { ...empty, sysctls: ['/proc/sys/net/ipv4/ip_forward=0'] };
  assert.deepEqual(diffBaseline(before, after), [
    { aspect: 'sysctls', appeared: ['/proc/sys/net/ipv4/ip_forward=1'], vanished: ['/proc/sys/net/ipv4/ip_forward=0'] },
  ]);
});

test('diffBaseline() leaves out what it is told to', () => {
  assert.deepEqual(diffBaseline(empty, { ...empty, processes: ['1 x'] }, ['processes']), []);
});
