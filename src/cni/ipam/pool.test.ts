import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capacityOf, nextAddress } from './pool.ts';

describe('nextAddress()', () => {
  const cases: readonly [what: string, range: string, taken: string[], after: string | undefined, expected: string | undefined][] = [
    ['starts behind the network and gateway addresses', '10.244.1.0/24', [], undefined, '10.244.1.2'],
    ['goes on behind the last one', '10.244.1.0/24', ['10.244.1.2'], '10.244.1.9', '10.244.1.10'],
    ['passes over what is taken', '10.244.1.0/24', ['10.244.1.3', '10.244.1.4'], '10.244.1.2', '10.244.1.5'],
    ['comes round before the broadcast address', '10.244.1.0/24', ['10.244.1.2'], '10.244.1.254', '10.244.1.3'],
    ['has nothing in a full range', '10.244.1.0/30', ['10.244.1.2'], '10.244.1.2', undefined],
    ['has nothing in a range without room', '10.244.1.0/31', [], undefined, undefined],
    ['starts anew when the last one was of another range', '10.244.2.0/24', [], '10.244.1.7', '10.244.2.2'],
  ];
  for (const [what, range, taken, after, expected] of cases) {
    test(what, () => assert.equal(nextAddress(range, new Set(taken), after), expected));
  }

  test('gives every address of a range once', () => {
    const taken = new Set<string>();
    let last: string | undefined;
    for (;;) {
      const ip = nextAddress('10.0.0.0/26', taken, last);
      if (ip === undefined) break;
      assert.ok(!taken.has(ip));
      taken.add(ip);
      last = ip;
    }
    assert.equal(taken.size, capacityOf('10.0.0.0/26'));
    assert.equal(taken.size, 61);
  });
});
