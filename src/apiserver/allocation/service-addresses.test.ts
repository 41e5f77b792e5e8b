import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipAddresses, serviceCidrs } from '../../api/resource-types.ts';
import type { IPAddress, Service, ServiceCIDR, ServiceSpec } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isStatusError } from '../status/status-error.ts';
import { NumberPool } from './number-pool.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { ToldLookup } from './testing/told.ts';

function setUp(range = '10.96.0.0/28'): { addresses: ServiceAddresses; told: ToldLookup; pool: NumberPool } {
  const told = new ToldLookup();
  const pool = new NumberPool({ clock: new FakeClock(), random: () => 0 });
  return { addresses: new ServiceAddresses(range, pool, told.lookup), told, pool };
}

/** With the type that defaulting has written. */
const of = (spec: ServiceSpec): ServiceSpec => ({ type: 'ClusterIP', ...spec });

const address = (name: string, labels: object = {}): IPAddress =>
  ({ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name, labels } }) as IPAddress;

describe('ServiceAddresses', () => {
  test('gives any address to who asks for none, and writes it into both fields', () => {
    const { addresses } = setUp();
    const spec: ServiceSpec = { type: 'ClusterIP' };
    assert.deepEqual(addresses.allocate(spec, 'a'), []);
    assert.deepEqual([spec.clusterIP, spec.clusterIPs], ['10.96.0.1', ['10.96.0.1']]);
  });

  test('gives the address that is asked for in either field', () => {
    const { addresses } = setUp();
    for (const asked of [{ clusterIP: '10.96.0.9' }, { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] }].map(of)) {
      assert.deepEqual(addresses.allocate(asked, 'a'), []);
      assert.deepEqual([asked.clusterIP, asked.clusterIPs], ['10.96.0.9', ['10.96.0.9']]);
    }
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
    ['what is no address', { clusterIP: 'x' }, 'spec.clusterIPs', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    [
      'an address outside the range',
      { clusterIP: '10.97.0.1' },
      'spec.clusterIPs',
      'failed to allocate IP 10.97.0.1: the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/28',
    ],
    [
      'an address of the other family',
      { clusterIP: 'fd00::1' },
      'spec.clusterIPs',
      'failed to allocate IP fd00::1: the provided IP (fd00::1) is not in the valid range. The range of valid IPs is 10.96.0.0/28',
    ],
    [
      'an address that is taken',
      { clusterIP: '10.96.0.3' },
      'spec.clusterIPs',
      'failed to allocate IP 10.96.0.3: provided IP is already allocated',
    ],
    [
      'both families',
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy',
      'this cluster is not configured for dual-stack services',
    ],
    [
      'an address of a family that is not there',
      { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'], ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]',
      'IPv6 is not configured on this cluster',
    ],
    ['a family that is not there', { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]', 'not configured on this cluster'],
  ];
  for (const [what, spec, path, detail] of refused) {
    test(`refuses ${what}`, () => {
      const { addresses } = setUp();
      addresses.allocate(of({ clusterIP: '10.96.0.3' }), 'other');
      const [error, more] = addresses.allocate(of(spec), 'a');
      assert.deepEqual([error?.path, error?.detail, more], [path, detail, undefined]);
    });
  }

  test('takes a family that is there', () => {
    assert.deepEqual(setUp().addresses.allocate(of({ ipFamilies: ['IPv4'] }), 'a'), []);
    assert.deepEqual(setUp('fd00::/120').addresses.allocate(of({ ipFamilies: ['IPv6'] }), 'a'), []);
  });

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
    const held = (spec?: ServiceSpec): number[] => addresses.heldBy({ spec } as Service);
    assert.deepEqual(held(of({ clusterIPs: ['10.96.0.5', 'fd00::1'] })), [5]);
    assert.deepEqual([held({ type: 'ExternalName', clusterIPs: ['10.96.0.5'] }), held({}), held()], [[], [], []]);
  });
});
