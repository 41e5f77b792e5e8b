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
    ['-1n', '-1n'],
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
  assert.equal(compareQuantity(q('1k'), q('1Ki')), -1);
});

test('each suffix stands for its power', () => {
  const powers: readonly [string, bigint][] = [
    ['k', 10n ** 3n],
    ['M', 10n ** 6n],
    ['G', 10n ** 9n],
    ['T', 10n ** 12n],
    ['P', 10n ** 15n],
    ['E', 10n ** 18n],
    ['Ki', 2n ** 10n],
    ['Mi', 2n ** 20n],
    ['Gi', 2n ** 30n],
    ['Ti', 2n ** 40n],
    ['Pi', 2n ** 50n],
    ['Ei', 2n ** 60n],
  ];
  for (const [suffix, power] of powers) {
    assert.equal(value(`3${suffix}`), 3n * power, suffix);
    assert.equal(canonicalQuantity(`3${suffix}`), `3${suffix}`);
    assert.equal(canonicalQuantity(`-3${suffix}`), `-3${suffix}`);
  }
  for (const [suffix, parts] of [
    ['m', 1000n],
    ['u', 10n ** 6n],
    ['n', 10n ** 9n],
  ] as const) {
    assert.equal(parseQuantity(`1${suffix}`).nano * parts, parseQuantity('1').nano, suffix);
    assert.equal(canonicalQuantity(`7${suffix}`), `7${suffix}`);
  }
});

test('the binary form is for 1024 and more', () => {
  assert.equal(canonicalQuantity('1Ki'), '1Ki');
  assert.equal(canonicalQuantity('1025Ki'), '1025Ki');
  assert.equal(canonicalQuantity('0.9990234375Ki'), '1023');
  assert.equal(canonicalQuantity('-0.5Ki'), '-512');
});

test('an amount is the same however many others were read in between', () => {
  const texts = Array.from({ length: 2500 }, (_, i) => `${i}m`);
  for (let round = 0; round < 2; round++)
    for (const [i, text] of texts.entries()) assert.equal(parseQuantity(text).nano, BigInt(i) * 1_000_000n);
  assert.equal(canonicalQuantity('1500m'), canonicalQuantity('1500m'));
  assert.equal(parseQuantity(`${'0'.repeat(30)}1`).nano, 10n ** 9n);
});

test('a refusal says what a quantity looks like', () => {
  assert.throws(() => parseQuantity('x'), { message: /^quantities must match the regular expression '\^/ });
  assert.throws(() => parseQuantity(''), { message: 'quantities must not be empty' });
});
