import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removalSteps } from './clean-up.ts';
import type { KernelState } from './plan/network.ts';

const link = (name: string): KernelState['links'][number] => ({
  name,
  mac: '02:00:00:00:00:01',
  mtu: 1450,
  up: true,
  kind: { kind: 'other' },
});
const route = (dst: string, protocol: number): KernelState['routes'][number] => ({
  dst,
  link: 'eth0',
  gateway: undefined,
  onlink: false,
  protocol,
});

test('removalSteps() take away the links and routes of a pod network, and those of nobody else', () => {
  const state: KernelState = {
    links: ['lo', 'eth0', 'cni0', 'flannel.1', 'flannel-v6.1', 'flannel.x', 'myflannel.1', 'docker0'].map(link),
    addresses: [],
    routes: [route('10.244.1.0/24', 70), route('10.0.0.0/8', 4)],
    neighbours: [],
  };
  assert.deepEqual(
    removalSteps(state).map((step) => ('route' in step ? step.route.dst : 'name' in step ? step.name : '')),
    ['10.244.1.0/24', 'cni0', 'flannel.1', 'flannel-v6.1'],
  );
});
