import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newestOf, switchOf, wordOf } from './sentinels.ts';

describe('the word of a sentinel', () => {
  const answer = ['name', 'mymaster', 'ip', '10.0.0.1', 'port', '6379', 'flags', 'master', 'config-epoch', '3'];

  test('is read from the names and values of its answer', () => {
    assert.deepEqual(wordOf('mymaster', answer), { host: '10.0.0.1', port: 6379, epoch: 3 });
    assert.deepEqual(wordOf('mymaster', ['config-epoch', '0', 'port', '1', 'ip', 'redis-1']), { host: 'redis-1', port: 1, epoch: 0 });
  });

  for (const [what, wrong] of Object.entries({
    'without an address': answer.toSpliced(2, 2),
    'without a port': answer.toSpliced(4, 2),
    'without an epoch': answer.toSpliced(8, 2),
    'with the port 0': answer.with(5, '0'),
    'that is empty': [],
  }))
    test(`is none ${what}`, () => {
      assert.throws(() => wordOf('mymaster', wrong), /does not say where "mymaster" is/);
    });

  test('is believed before one of an earlier fail-over', () => {
    const words = [1, 3, 2].map((epoch) => ({ host: `10.0.0.${epoch}`, port: 6379, epoch }));
    assert.equal(newestOf(words)?.host, '10.0.0.3');
    assert.equal(newestOf([]), undefined);
  });
});

describe('switchOf()', () => {
  test('is the new address of the primary that is meant, not that of another', () => {
    assert.deepEqual(switchOf('mymaster', 'mymaster 10.0.0.1 6379 10.0.0.2 6380'), { host: '10.0.0.2', port: 6380 });
    assert.equal(switchOf('mymaster', 'other 10.0.0.1 6379 10.0.0.2 6380'), undefined);
    assert.equal(switchOf('mymaster', 'mymaster'), undefined);
  });
});
