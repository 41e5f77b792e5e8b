import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareNames } from './compare-names.ts';

const cases: readonly (readonly [what: string, inOrder: readonly string[]])[] = [
  ['numbers by their value', ['lb-2', 'lb-10', 'lb-100']],
  ['numbers in the midst by their value, then what follows', ['a-2-b', 'a-2-c', 'a-10-a']],
  ['what is longer last', ['lb-1', 'lb-1-tcp', 'lb-2']],
  ['words by their letters', ['hash-lb-9', 'lb-1', 'local-1']],
  ['a number before a word', ['1', 'a']],
  ['a word before one that goes on', ['ab1', 'abc', 'abc1', 'abd']],
  ['a beginning before the whole', ['', 'lb', 'lb-', 'lb-1', 'lb-1-', 'lb-1-2']],
  ['numbers by all their digits', ['a19', 'a20', 'a100', 'a101', 'a110']],
  ['a number of more digits behind one that begins alike', ['rr-1x', 'rr-1y', 'rr-12']],
];

for (const [what, inOrder] of cases)
  test(`compareNames() orders ${what}`, () => assert.deepEqual(inOrder.toReversed().toSorted(compareNames), inOrder));

test('compareNames() takes the same text for the same', () => assert.equal(compareNames('lb-10', 'lb-10'), 0));

test('compareNames() tells apart what differs by a leading zero alone', () => {
  assert.equal(Math.sign(compareNames('a01', 'a1')), -1);
  assert.equal(Math.sign(compareNames('a1', 'a01')), 1);
});
