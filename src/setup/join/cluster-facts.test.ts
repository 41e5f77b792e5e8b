import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { knownNode, skewOf } from './cluster-facts.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const header = new Date(noon).toUTCString();

describe('skewOf() is', () => {
  for (const [what, before, after, skew] of [
    ['none when the answer is of the same second', noon + 300, noon + 900, 0],
    ['none at the end of the second that was cut off', noon + 1000, noon + 1000, 0],
    ['none when the question was before and the answer after', noon - 2000, noon + 10, 0],
    ['what this clock is ahead', noon + 61_000, noon + 61_000, 60_000],
    ['what this clock is behind', noon - 60_000, noon - 60_000, -60_000],
  ] as const)
    test(what, () => assert.equal(skewOf(header, before, after), skew));

  test('unknown without a date, or with one that is none', () => {
    assert.equal(skewOf(undefined, noon, noon), undefined);
    assert.equal(skewOf('soon', noon, noon), undefined);
  });
});

test('knownNode() takes the addresses at which a node is reached, and whether it is Ready', () => {
  const addresses = [
    { type: 'InternalIP', address: '192.0.2.1' },
    { type: 'Hostname', address: 'one' },
  ];
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' } } as const;
  const status = { addresses, nodeInfo: { machineID: 'm' } as never };
  const ready = { type: 'Ready', status: 'True' } as const;
  assert.deepEqual(knownNode({ ...node, status: { ...status, conditions: [ready] } }), {
    name: 'one',
    machineId: 'm',
    addresses: ['192.0.2.1'],
    isReady: true,
  });
  assert.equal(knownNode({ ...node, status: { ...status, conditions: [{ ...ready, status: 'Unknown' }] } }).isReady, false);
  assert.deepEqual(knownNode(node), { name: 'one', machineId: '', addresses: [], isReady: false });
});
