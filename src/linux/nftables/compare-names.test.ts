import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareNames } from './compare-names.ts';

const cases: readonly (readonly [what: string, inOrder: readonly string[]])[] = [
  ['numbers by their value', ['lb-2', 'lb-10', 'lb-100']],
  ['numbers in the midst by their value, then what follows', ['a-2-b', 'a-2-c', 'a-10-a']],
  ['what is longer last', ['lb-1', 'lb-1-tcp', 'lb-2']],
  ['words by their letters', ['hash-lb-9', 'lb-1', 'local-1']],
  ['a number before a word', ['1', 'a']],
];

for (const [what, inOrder] of cases)
  test(`compareNames() orders ${what}`, () => assert.deepEqual(inOrder.toReversed().toSorted(compareNames), inOrder));

test('compareNames() takes the same text for the same', () => assert.equal(compareNames('lb-10', 'lb-10'), 0));
