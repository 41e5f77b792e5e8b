import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipAddresses, serviceCidrs } from '../../api/resource-types.ts';
import type { IPAddress, Service, ServiceCIDR, ServiceSpec } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isStatusError } from '../status/status-error.ts';
import { NumberPool } from './number-pool.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { ToldLookup } from './testing/told.ts';

function setUp(...ranges: readonly string[]): { addresses: ServiceAddresses; told: ToldLookup } {
  const told = new ToldLookup();
  const newPool = (): NumberPool => new NumberPool({ clock: new FakeClock(), random: () => 0 });
  return { addresses: new ServiceAddresses(ranges.length > 0 ? ranges : ['10.96.0.0/28'], newPool, told.lookup), told };
}

/** As defaulting and the choice of families leave it. */
const of = ({ clusterIP, ...spec }: ServiceSpec): ServiceSpec => ({
  ...{ type: 'ClusterIP', ipFamilies: ['IPv4'], ...spec },
  ...(clusterIP ? { clusterIP, clusterIPs: [clusterIP] } : {}),
});

const address = (name: string, labels: object = {}): IPAddress =>
  ({ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name, labels } }) as IPAddress;

describe('ServiceAddresses', () => {
  test('gives any address to who asks for none, and writes it into both fields', () => {
    const { addresses } = setUp();
    const spec = of({});
    assert.deepEqual(addresses.allocate(spec, 'a'), []);
    assert.deepEqual([spec.clusterIP, spec.clusterIPs], ['10.96.0.1', ['10.96.0.1']]);
  });

  test('gives the address that is asked for', () => {
    const { addresses } = setUp();
    const asked = of({ clusterIP: '10.96.0.9' });
    assert.deepEqual(addresses.allocate(asked, 'a'), []);
    assert.deepEqual([asked.clusterIP, asked.clusterIPs], ['10.96.0.9', ['10.96.0.9']]);
  });

  test('gives one of each family, those that are asked for and any for the rest', () => {
    const { addresses } = setUp('fd00::/120', '10.96.0.0/28');
    assert.deepEqual(addresses.families, ['IPv6', 'IPv4']);
    const any = of({ ipFamilies: ['IPv6', 'IPv4'] });
    assert.deepEqual(addresses.allocate(any, 'a'), []);
    assert.deepEqual([any.clusterIP, any.clusterIPs], ['fd00::11', ['fd00::11', '10.96.0.1']]);
    const half = of({ ipFamilies: ['IPv4', 'IPv6'], clusterIP: '10.96.0.7' });
    assert.deepEqual(addresses.allocate(half, 'b'), []);
    assert.deepEqual(half.clusterIPs, ['10.96.0.7', 'fd00::12']);
  });

  test('leaves a Service the address that it had, also where it is of no range any more', () => {
    const { addresses } = setUp();
    const before = of({ clusterIP: '10.97.0.1' });
    const spec = of({ clusterIP: '10.97.0.1' });
    assert.deepEqual(addresses.allocate(spec, 'a', before), []);
    assert.deepEqual(spec.clusterIPs, ['10.97.0.1']);
  });

  test('gives none to a Service without one', () => {
    const { addresses } = setUp();
    for (const spec of [{ type: 'ExternalName' }, { type: 'ClusterIP', clusterIP: 'None' }] as ServiceSpec[]) {
      const before = structuredClone(spec);
      assert.deepEqual(addresses.allocate(spec, 'a'), []);
      assert.deepEqual(spec, before);
    }
  });

  const refused: readonly (readonly [string, ServiceSpec, string, string])[] = [
    [
      'an address outside the range',
      { clusterIP: '10.97.0.1' },
      'spec.clusterIPs',
      'failed to allocate IP 10.97.0.1: the provided network does not match the current range 10.96.0.0/28',
    ],
    [
      'the network address',
      { clusterIP: '10.96.0.0' },
      'spec.clusterIPs',
      'failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/28',
    ],
    [
      'an address that is taken',
      { clusterIP: '10.96.0.3' },
      'spec.clusterIPs',
      'failed to allocate IP 10.96.0.3: provided IP is already allocated',
    ],
  ];
  for (const [what, spec, path, detail] of refused) {
    test(`refuses ${what}`, () => {
      const { addresses } = setUp();
      addresses.allocate(of({ clusterIP: '10.96.0.3' }), 'other');
      const [error, more] = addresses.allocate(of(spec), 'a');
      assert.deepEqual([error?.path, error?.detail, more], [path, detail, undefined]);
    });
  }

  test('goes on in the next range when the first is full, and says when all are', () => {
    const { addresses, told } = setUp('10.96.0.0/30');
    const full = (): unknown => addresses.allocate(of({}), 'c');
    for (const owner of ['a', 'b']) assert.deepEqual(addresses.allocate(of({}), owner), []);
    assert.throws(full, (err) => isStatusError(err, 'InternalError') && /range is full \(10.96.0.0\/30\)/.test(err.message));
    const more = {
      metadata: { name: 'm' },
      spec: { cidrs: ['10.96.1.0/30'] },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    };
    told.put(serviceCidrs, more as ServiceCIDR);
    const spec = of({});
    assert.deepEqual(addresses.allocate(spec, 'c'), []);
    assert.equal(spec.clusterIP, '10.96.1.1');
  });

  test('leaves an address that somebody keeps by an IPAddress, until it is gone', () => {
    const { addresses, told } = setUp();
    const take = (owner: string): number => addresses.allocate(of({ clusterIP: '10.96.0.5' }), owner).length;
    told.put(ipAddresses, address('10.96.0.5'));
    assert.equal(take('a'), 1);
    told.delete(ipAddresses, address('10.96.0.5'));
    assert.equal(take('a'), 0);
  });

  test('takes the IPAddress of a Service for the shadow of that Service', () => {
    const { addresses, told } = setUp();
    told.put(ipAddresses, address('10.96.0.5', { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' }));
    assert.deepEqual(addresses.allocate(of({ clusterIP: '10.96.0.5' }), 'a'), []);
  });

  test('says what a stored Service holds', () => {
    const { addresses } = setUp();
    const held = (spec?: ServiceSpec): number[] => addresses.heldBy({ spec } as Service).map(({ number }) => number);
    assert.deepEqual(held(of({ clusterIPs: ['10.96.0.5', 'fd00::1'] })), [5]);
    assert.deepEqual([held({ type: 'ExternalName', clusterIPs: ['10.96.0.5'] }), held({}), held()], [[], [], []]);
  });
});
