/** SOURCES_SEED=N repeats a run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../../clock/testing/seeded-random.ts';
import { cidrContains, mustCidr } from '../../../ip/ip.ts';
import { areSourcesOf } from './source-ranges.ts';

const seed = Number(process.env.SOURCES_SEED ?? Date.now() % 2 ** 32);

describe('areSourcesOf()', () => {
  const cases: readonly (readonly [what: string, sources: readonly string[], ip: string, is: boolean])[] = [
    ['no range', [], '10.0.0.1', false],
    ['the first address of a range', ['10.0.0.0/24'], '10.0.0.0', true],
    ['the last', ['10.0.0.0/24'], '10.0.0.255', true],
    ['the next', ['10.0.0.0/24'], '10.0.1.0', false],
    ['the one before', ['10.0.1.0/24'], '10.0.0.255', false],
    ['a range without a length', ['10.0.0.7'], '10.0.0.7', true],
    ['one between two', ['10.0.0.0/24', '10.0.2.0/24'], '10.0.1.7', false],
    ['a range behind one that holds others', ['10.0.0.0/8', '10.1.0.0/16', '11.0.0.0/24'], '10.200.0.1', true],
    ['everything', ['0.0.0.0/0'], '255.255.255.255', true],
    ['everything of the other family', ['0.0.0.0/0'], '::1', false],
    ['a range of IPv6', ['fd00::/64', '10.0.0.0/8'], 'fd00::ffff', true],
    ['an address of IPv4 in the form of IPv6', ['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    ['what cannot be read', ['nonsense', '10.0.0.0/33', '10.0.0.0/8'], '10.0.0.1', true],
  ];
  for (const [what, sources, ip, is] of cases) test(what, () => assert.equal(areSourcesOf(sources, ip), is));

  test(`as one range after the other says (SOURCES_SEED=${seed})`, () => {
    const below = seededRandom(seed);
    const ip = (): string => `10.0.${below(4)}.${below(256)}`;
    for (let run = 0; run < 100; run++) {
      const sources = Array.from({ length: below(8) }, () => `${ip()}/${22 + below(11)}`);
      for (let look = 0; look < 50; look++) {
        const from = ip();
        assert.equal(
          areSourcesOf(sources, from),
          sources.some((range) => cidrContains(mustCidr(range), from)),
          `${from} in ${sources}`,
        );
      }
    }
  });
});
