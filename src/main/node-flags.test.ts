import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { parseLabels, parseTaints } from './node-flags.ts';

describe('parseTaints()', () => {
  test('reads what the kubelet takes: with and without a value, for each effect', () => {
    assert.deepEqual(parseTaints('example.com/a=b:NoSchedule,c:NoExecute,d=:PreferNoSchedule'), [
      { key: 'example.com/a', value: 'b', effect: 'NoSchedule' },
      { key: 'c', effect: 'NoExecute' },
      { key: 'd', effect: 'PreferNoSchedule' },
    ]);
    assert.deepEqual(parseTaints(''), []);
  });

  for (const text of ['a=b', 'a=b:Never', ':NoSchedule', '=b:NoSchedule', 'NoSchedule', 'a:NoSchedule,b'])
    test(`refuses "${text}"`, () => {
      assert.throws(
        () => parseTaints(text),
        (err) => isKnownError(err, 'BAD_CONFIG') && /KEY=VALUE:EFFECT/.test(err.hint ?? ''),
      );
    });
});

describe('parseLabels()', () => {
  test('reads keys with values, which may be empty or hold what divides', () => {
    assert.deepEqual(parseLabels('a=b,example.com/c=d=e,f='), { a: 'b', 'example.com/c': 'd=e', f: '' });
    assert.deepEqual(parseLabels(''), {});
  });

  for (const text of ['a', '=b', 'a=b,c'])
    test(`refuses "${text}"`, () => {
      assert.throws(
        () => parseLabels(text),
        (err) => isKnownError(err, 'BAD_CONFIG') && err.hint === 'Write it as KEY=VALUE',
      );
    });
});
