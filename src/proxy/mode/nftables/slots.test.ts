import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAddress, ServicePlan } from '../../plan/service-plan.ts';
import { assignSlots, withSlots } from './slots.ts';

describe('assignSlots()', () => {
  const cases: [name: string, previous: string[], wanted: string[], result: string[]][] = [
    ['sorts names that are new', [], ['b', 'a'], ['a', 'b']],
    ['keeps slots when a name comes', ['b', 'a'], ['a', 'b', 'c'], ['b', 'a', 'c']],
    ['puts the last into the hole when one goes', ['a', 'b', 'c', 'd'], ['a', 'c', 'd'], ['a', 'd', 'c']],
    ['puts a new name into the hole', ['a', 'b', 'c'], ['a', 'x', 'c'], ['a', 'x', 'c']],
    ['gives nothing for nothing', ['a'], [], []],
    ['survives names that are held twice or missing', ['a', 'a', ''], ['a', 'b'], ['a', 'b']],
  ];
  for (const [name, previous, wanted, result] of cases) test(name, () => assert.deepEqual(assignSlots(previous, new Set(wanted)), result));
});

function endpoints(...names: string[]): EndpointAddress[] {
  return names.map((name) => ({ name, ip: name, port: 80, mayBeHere: false }));
}

function plan(cluster: EndpointAddress[], local: EndpointAddress[] = []): ServicePlan {
  return { key: 'n/a', rank: '', ports: [{ name: '', protocol: 'tcp', frontends: [], cluster, local, serving: new Set() }] };
}

describe('withSlots()', () => {
  const names = (p: ServicePlan, list: 'cluster' | 'local'): string[] => p.ports[0]?.[list].map((e) => e.name) ?? [];

  test('keeps endpoints in the slots they had, in each list by itself', () => {
    const placed = withSlots(plan(endpoints('a', 'b', 'c'), endpoints('a', 'b')), () => ({ cluster: ['c', 'a'], local: ['b', 'x'] }));
    assert.deepEqual(names(placed, 'cluster'), ['c', 'a', 'b']);
    assert.deepEqual(names(placed, 'local'), ['b', 'a']);
  });

  test('has no more endpoints than there are numbers for them', () => {
    const many = endpoints(...Array.from({ length: 65_537 }, (_, i) => String(i).padStart(5, '0')));
    const placed = withSlots(plan(many.toReversed()), () => ({ cluster: [], local: [] }));
    assert.equal(names(placed, 'cluster').length, 65_536);
    assert.equal(names(placed, 'cluster').at(-1), '65535');
  });
});
