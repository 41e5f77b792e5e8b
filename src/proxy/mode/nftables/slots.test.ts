import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { EndpointAddress, ServicePlan } from '../../plan/service-plan.ts';
import { heldShares, type Load } from '../shares.ts';
import { assignSlots, noSlots, type SlottedPlan, slotsOf, withSlots } from './slots.ts';

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

function plan(cluster: EndpointAddress[], local: EndpointAddress[] = [], algorithm?: Algorithm): ServicePlan {
  return {
    key: 'n/a',
    rank: '',
    ...(algorithm ? { algorithm } : {}),
    ports: [{ name: '', protocol: 'tcp', frontends: [], cluster, local, serving: new Set() }],
  };
}

describe('withSlots()', () => {
  const names = (p: SlottedPlan, list: 'cluster' | 'local'): string[] => (p.ports[0] ? slotsOf(p.ports[0], list).map((e) => e.name) : []);

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

  const count = (list: readonly string[]): Record<string, number> => Object.fromEntries(heldShares(list, new Set(list)));
  test('gives endpoints several slots each for a hash, in both lists, and keeps all but those of one that goes', () => {
    const before = withSlots(plan(endpoints('a', 'b', 'c'), endpoints('a'), 'source-hash'), noSlots);
    assert.deepEqual(count(names(before, 'cluster')), { a: 22, b: 21, c: 21 });
    assert.deepEqual(count(names(before, 'local')), { a: 16 });
    const previous = { cluster: names(before, 'cluster'), local: names(before, 'local') };
    const after = names(
      withSlots(plan(endpoints('a', 'c'), [], 'source-hash'), () => previous),
      'cluster',
    );
    assert.deepEqual(
      after.filter((name, i) => previous.cluster[i] !== 'b' && name !== previous.cluster[i]),
      [],
    );
  });

  test('weighs by connections once they are counted, and before as it was when nobody has gone', () => {
    const put = (cluster: string[], load?: Load): Record<string, number> =>
      count(
        names(
          withSlots(
            plan(endpoints('a', 'b'), [], 'least-connection'),
            () => ({ cluster, local: [] }),
            () => load,
          ),
          'cluster',
        ),
      );
    assert.deepEqual(put([]), { a: 16, b: 16 });
    const weighed = [...Array<string>(31).fill('a'), 'b'];
    assert.deepEqual(put(weighed), { a: 31, b: 1 });
    assert.deepEqual(put(Array<string>(32).fill('a')), { a: 32 });
    assert.deepEqual(put([...Array<string>(31).fill('a'), 'x']), { a: 16, b: 16 });
    assert.deepEqual(put(weighed, { connections: new Map([['a', 3]]), expected: 4 }), { a: 4, b: 28 });
  });

  test('goes back to one slot each', () => {
    const previous = names(withSlots(plan(endpoints('b', 'a'), [], 'source-hash'), noSlots), 'cluster');
    assert.deepEqual(
      names(
        withSlots(plan(endpoints('b', 'a'), [], 'round-robin'), () => ({ cluster: previous, local: [] })),
        'cluster',
      ),
      ['a', 'b'],
    );
  });
});
