import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalQuantity, compareQuantity, milli, parseQuantity, value } from './quantity.ts';

test('quantities are written canonically: the largest suffix without a fraction', () => {
  for (const [text, canonical] of [
    ['0', '0'],
    ['0Ki', '0'],
    ['1', '1'],
    ['1000m', '1'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.', '1'],
    ['1500m', '1500m'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['512Ki', '512Ki'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['2e3', '2e3'],
    ['2000e-3', '2'],
    ['1E', '1E'],
    ['1Ei', '1Ei'],
    ['-5m', '-5m'],
    ['+3', '3'],
    ['0.1n', '1n'],
    ['1e30', '9223372036854775807'],
  ] as const) {
    assert.equal(canonicalQuantity(text), canonical, text);
  }
  assert.equal(canonicalQuantity(0.5), '500m');
});

test('what is no quantity is refused', () => {
  for (const text of ['', 'abc', '1Kii', '1e', '--1', '1 Gi', '1ki', '.', 'Gi'])
    assert.throws(() => parseQuantity(text), { name: 'QuantityError' }, text);
});

test('value and milli round up', () => {
  assert.equal(value('100m'), 1n);
  assert.equal(value('1.5Gi'), 1610612736n);
  assert.equal(milli('0.5'), 500n);
  assert.equal(milli('1n'), 1n);
  assert.equal(milli('-1500m'), -1500n);
});

test('quantities compare by amount, whatever their form', () => {
  const q = parseQuantity;
  assert.equal(compareQuantity(q('1k'), q('1000')), 0);
  assert.equal(compareQuantity(q('1Ki'), q('1k')), 1);
});
