import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serviceCidrs } from '../../api/resource-types.ts';
import type { ServiceCIDR } from '../../api/schema/types.ts';
import { ServiceRanges } from './service-ranges.ts';
import { ToldLookup } from './testing/told.ts';

const cidr = (name: string, cidrs: string[], ready = 'True', metadata: object = {}, type = 'Ready'): ServiceCIDR =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name, ...metadata },
    spec: { cidrs },
    status: { conditions: [{ type, status: ready }] },
  }) as ServiceCIDR;

function rangesOf(main: string, ...more: ServiceCIDR[]): { ranges: ServiceRanges; told: ToldLookup } {
  const told = new ToldLookup();
  const ranges = new ServiceRanges(main, told.lookup);
  for (const one of more) told.put(serviceCidrs, one);
  return { ranges, told };
}

describe('ServiceRanges', () => {
  // First, last and the first that is given out by chance, counted from the network address (upstream's ipallocator and its offset).
  const bands: readonly (readonly [string, number, number, number])[] = [
    ['10.96.0.0/30', 1, 2, 17],
    ['10.96.0.0/24', 1, 254, 17],
    ['10.96.0.0/20', 1, 4_094, 256],
    ['10.96.0.0/17', 1, 32_766, 257],
    ['10.96.0.0/16', 1, 65_534, 257],
    ['10.0.0.0/11', 1, 1_048_576, 257],
    ['fd00::/124', 1, 15, 17],
    ['fd00::/113', 1, 32_767, 257],
    ['fd00::/112', 1, 65_535, 257],
    ['fd00::/64', 1, 65_535, 257],
  ];
  for (const [text, first, last, dynamicFrom] of bands) {
    test(`gives out ${first} to ${last} of ${text}, by chance from ${dynamicFrom}`, () => {
      assert.deepEqual(rangesOf(text).ranges.bands, [{ first, last, dynamicFrom }]);
    });
  }

  test('contains what is between the network address and the broadcast address, of its family', () => {
    const { ranges } = rangesOf('10.96.0.0/24');
    const asked = ['10.96.0.0', '10.96.0.1', '10.96.0.254', '10.96.0.255', '10.97.0.1', '10.95.255.255', 'fd00::1', 'no address'];
    assert.deepEqual(
      asked.filter((ip) => ranges.contains(ip)),
      ['10.96.0.1', '10.96.0.254'],
    );
    assert.equal(ranges.family, 4);
    assert.deepEqual([ranges.numberOf('10.96.0.7'), ranges.addressOf(7)], [7, '10.96.0.7']);
    assert.deepEqual([ranges.numberOf('fd00::1'), ranges.numberOf('x')], [undefined, undefined]);
  });

  test('is extended by a ServiceCIDR that is ready, after its own range, for as long as it is there', () => {
    const { ranges, told } = rangesOf('10.96.0.0/24', cidr('more', ['10.96.2.0/24']));
    assert.equal(ranges.text, '10.96.0.0/24, 10.96.2.0/24');
    assert.deepEqual(ranges.bands[1], { first: 513, last: 766, dynamicFrom: 529 });
    assert.deepEqual([ranges.contains('10.96.2.9'), ranges.contains('10.96.1.9')], [true, false]);
    assert.equal(ranges.addressOf(ranges.numberOf('10.96.2.9')!), '10.96.2.9');
    told.delete(serviceCidrs, cidr('more', ['10.96.2.0/24']));
    assert.equal(ranges.text, '10.96.0.0/24');
    assert.equal(ranges.contains('10.96.2.9'), false);
  });

  const ignored: Readonly<Record<string, ServiceCIDR>> = {
    'is not ready': cidr('more', ['10.96.2.0/24'], 'False'),
    'has another condition alone': cidr('more', ['10.96.2.0/24'], 'True', {}, 'Other'),
    'is being deleted': cidr('more', ['10.96.2.0/24'], 'True', { deletionTimestamp: 'x' }),
    'is of the other family': cidr('more', ['fd00::/112']),
    'is the range itself': cidr('more', ['10.96.0.0/24']),
    'is no range': cidr('more', ['here']),
  };
  for (const [what, object] of Object.entries(ignored)) {
    test(`ignores a ServiceCIDR that ${what}`, () => assert.equal(rangesOf('10.96.0.0/24', object).ranges.text, '10.96.0.0/24'));
  }

  test('ignores a range of IPv6 that is too far away to be counted', () => {
    assert.equal(rangesOf('fd00::/112', cidr('far', ['fd00:1::/112'])).ranges.text, 'fd00::/112');
    assert.equal(rangesOf('fd00::/112', cidr('near', ['fd00::1:0/112'])).ranges.text, 'fd00::/112, fd00::1:0/112');
  });
});
