import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cidrOverlaps, mustCidr } from '../ip/ip.ts';
import { defaultLabOptions } from './lab-options.ts';
import { planLab } from './plan.ts';
import { chooseRanges, places } from './ranges.ts';

const taken = (...texts: string[]): ReturnType<typeof mustCidr>[] => texts.map(mustCidr);
const { underlay, podCidr, serviceCidr } = defaultLabOptions;

describe('chooseRanges()', () => {
  const cases: [string, Parameters<typeof chooseRanges>[0], string[], string | undefined][] = [
    ['takes the well-known ranges when nobody has them', {}, [], `${underlay} ${podCidr} ${serviceCidr}`],
    ['takes other ranges, all of them, when one of three is taken', {}, [serviceCidr], '192.168.121.0/24 10.201.0.0/16 10.97.0.0/16'],
    ['sees a single address in a range', {}, ['192.168.120.77/32'], '192.168.121.0/24 10.201.0.0/16 10.97.0.0/16'],
    ['steps over every lab beside it', {}, [underlay, '10.201.0.0/16', '10.98.0.0/16'], '192.168.123.0/24 10.203.0.0/16 10.99.0.0/16'],
    ['leaves 10.0.0.0/8 to a VPN that owns it', {}, ['10.0.0.0/8'], '192.168.164.0/24 172.24.0.0/16 172.25.0.0/16'],
    ['keeps what was given, taken or not', { podCidr: '10.50.0.0/16' }, ['10.50.0.0/16'], `${underlay} 10.50.0.0/16 ${serviceCidr}`],
    ['keeps out of what was given', { podCidr: '10.96.0.0/12' }, [], '192.168.136.0/24 10.96.0.0/12 10.112.0.0/16'],
    ['says when there is no room', {}, ['10.0.0.0/8', '172.16.0.0/12'], undefined],
  ];
  for (const [name, given, others, want] of cases)
    test(name, () => {
      const found = chooseRanges(given, taken(...others));
      assert.equal(found && `${found.underlay} ${found.podCidr} ${found.serviceCidr}`, want);
    });

  test('has places that share no address, each good for a lab', () => {
    const all = places.flatMap((place) => Object.values(place).map(mustCidr));
    for (const [i, a] of all.entries())
      assert.equal(
        all.findIndex((b) => cidrOverlaps(a, b)),
        i,
        a.text,
      );
    for (const place of places) assert.doesNotThrow(() => planLab({ ...defaultLabOptions, ...place }));
  });
});
