import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Elements, KernelTable } from '../../../linux/nftables/table.ts';
import type { EndpointAddress, Frontend, PortPlan } from '../../plan/service-plan.ts';
import { slotsIn } from './held-slots.ts';

const target = { inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
const clusterIp: Frontend = { kind: 'cluster-ip', ip: '10.96.0.1', port: 80, ...target };
const externalIp: Frontend = { kind: 'external-ip', ip: '198.51.100.1', port: 80, ...target };
const nodePort: Frontend = { kind: 'node-port', port: 30_080, ...target };

function endpoints(count: number): EndpointAddress[] {
  return Array.from({ length: count }, (_, i) => ({ name: `new ${i}`, ip: '10.244.0.9', port: 80, mayBeHere: false }));
}

function portOf(frontends: readonly Frontend[], cluster: number, local = 0): PortPlan {
  return { name: '', protocol: 'tcp', frontends, cluster: endpoints(cluster), local: endpoints(local), serving: new Set() };
}

function tableOf(sets: Readonly<Record<string, Readonly<Record<string, string>>>>): KernelTable {
  const held = (elements: Readonly<Record<string, string>>): Elements => new Map(Object.entries(elements));
  return {
    family: 'ip',
    name: 'kube-proxy',
    chains: new Map(),
    sets: new Map(Object.entries(sets).map(([name, elements]) => [name, { declaration: '', elements: held(elements) }])),
  };
}

const held = tableOf({
  endpoints: {
    '10.96.0.1 . tcp . 80 . 0': 'a',
    '10.96.0.1 . tcp . 80 . 1': 'b',
    '10.96.0.1 . tcp . 80 . 3': 'd',
    '10.96.0.1 . tcp . 80 . 65536': 'b',
    '10.96.0.1 . tcp . 80 . 65537': 'x',
    '198.51.100.1 . tcp . 80 . 0': 'of another frontend',
    '10.96.0.1 . tcp . 80 . 131072': 'of few, where there are more',
    '10.96.0.2 . tcp . 80 . 131072': 'a',
    '10.96.0.2 . tcp . 80 . 131073': 'b',
    '10.96.0.2 . tcp . 80 . 131074': 'c',
    '10.96.0.3 . tcp . 80 . 131072': 'a',
    '10.96.0.3 . tcp . 80 . 131073': 'a',
  },
  'nodeport-endpoints': { 'tcp . 30080 . 0': 'n', '10.96.0.1 . tcp . 80 . 2': 'in the wrong set' },
});

const cases: readonly [name: string, port: PortPlan, cluster: readonly string[], local: readonly string[]][] = [
  ['gives what the slots of each list hold', portOf([clusterIp], 2, 2), ['a', 'b'], ['b', 'x']],
  ['ends at the first slot that nobody holds', portOf([clusterIp], 5, 5), ['a', 'b'], ['b', 'x']],
  ['gives also what more endpoints held than there are now', portOf([clusterIp], 1, 0), ['a', 'b'], ['b', 'x']],
  ['looks for a node port in its own map', portOf([nodePort], 1), ['n'], []],
  [
    'takes the first frontend that has any',
    portOf([{ ...clusterIp, port: 81 }, externalIp, clusterIp], 2),
    ['of another frontend'],
    ['b', 'x'],
  ],
  ['gives two of few', portOf([{ ...clusterIp, ip: '10.96.0.2' }], 2), ['a', 'b'], []],
  ['gives one that has both slots of few', portOf([{ ...clusterIp, ip: '10.96.0.3' }], 2), ['a'], []],
  ['knows nothing of frontends that are new', portOf([{ ...clusterIp, port: 81 }], 2), [], []],
];
for (const [name, port, cluster, local] of cases)
  test(`slotsIn() ${name}`, () => {
    const slots = slotsIn(held)(port);
    assert.deepEqual([slots.cluster, slots.local], [cluster, local]);
  });

test('slotsIn() gives nothing without a table, or without its maps', () => {
  for (const table of [undefined, tableOf({})])
    for (const frontend of [clusterIp, nodePort]) {
      const slots = slotsIn(table)(portOf([frontend], 2, 2));
      assert.deepEqual([slots.cluster, slots.local], [[], []]);
    }
});
