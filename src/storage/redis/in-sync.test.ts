import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Standing, shortfall, standingOf } from './in-sync.ts';

/** Replicas by name, with how far they have come. */
function standing(offset: number, replicas: Readonly<Record<string, number>>): Standing {
  return { offset, replicas: Object.entries(replicas).map(([address, come]) => ({ address, offset: come })) };
}

describe('standingOf()', () => {
  test('leaves out who has said nothing yet', () => {
    const role = [
      'master',
      3_129_659,
      [
        ['127.0.0.1', '9001', '3129242'],
        ['127.0.0.1', '9002', '0'],
      ],
    ];
    assert.deepEqual(standingOf(role), standing(3_129_659, { '127.0.0.1:9001': 3_129_242 }));
  });

  test('knows a replica', () => {
    assert.equal(standingOf(['slave', '127.0.0.1', 9000, 'connected', 3_167_038]), undefined);
  });
});

const cases: readonly (readonly [what: string, before: Standing, after: Standing, wanted: number, missing: string | undefined])[] = [
  ['nothing when all have come as far', standing(10, { a: 5, b: 10 }), standing(12, { a: 10, b: 11 }), 1, undefined],
  ['one that is attached and behind', standing(10, { a: 5, b: 5 }), standing(12, { a: 10, b: 9 }), 1, '1 of 2 replicas confirmed it'],
  ['replicas that are away', standing(10, {}), standing(12, {}), 1, '0 of 1 replicas confirmed it'],
  ['as many as are asked for', standing(10, { a: 5 }), standing(12, { a: 10 }), 2, '1 of 2 replicas confirmed it'],
  ['an answer after one left', standing(10, { a: 5, b: 5 }), standing(12, { a: 10 }), 1, 'the replica b left meanwhile'],
  ['nothing when one has joined that has all', standing(10, { a: 5 }), standing(12, { a: 10, b: 12 }), 1, undefined],
  ['one that has joined and is behind', standing(10, { a: 5 }), standing(12, { a: 10, b: 9 }), 1, '1 of 2 replicas confirmed it'],
];

describe('shortfall()', () => {
  for (const [what, before, after, wanted, missing] of cases)
    test(`misses ${what}`, () => assert.equal(shortfall(before, after, wanted), missing));
});
