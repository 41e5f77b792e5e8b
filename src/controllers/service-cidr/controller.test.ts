import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipAddresses, serviceCidrs } from '../../api/resource-types.ts';
import type { IPAddress, ServiceCIDR } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { TestBed } from '../testing/test-bed.ts';
import { ServiceCidrController } from './controller.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
const isReady = { conditions: [{ type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2025-01-01T00:00:00Z' }] };
const patch = 'patch servicecidrs extra';
const patchStatus = 'patch servicecidrs/status extra';
/** The clock of tests stands at 2026-01-01T00:00:00Z. */
const deletedAt = (time: string): Partial<ServiceCIDR['metadata']> => ({ deletionTimestamp: time, finalizers: [finalizer] });

function cidrOf(metadata: Partial<ServiceCIDR['metadata']> = {}, status?: ServiceCIDR['status']): ServiceCIDR {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'extra', ...metadata },
    spec: { cidrs: ['10.96.0.0/24'] },
    ...(status ? { status } : {}),
  };
}

/** An address that a Service has. */
function addressOf(name: string): IPAddress {
  const labels = { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' };
  const parentRef = { resource: 'services', namespace: 'default', name: 'web' };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name, labels }, spec: { parentRef } };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly cidr: ServiceCIDR;
  readonly others?: readonly ServiceCIDR[];
  /** Addresses that Services have. */
  readonly taken?: readonly string[];
  readonly meanwhile?: (bed: TestBed) => void;
}

const cases: readonly Case[] = [
  { does: 'takes hold of a new one, then says that it is ready', cidr: cidrOf(), writes: [patch, patchStatus] },
  { does: 'leaves alone one that is ready', cidr: cidrOf({ finalizers: [finalizer] }, isReady) },
  { does: 'lets an unused one go once every API server has heard of it', cidr: cidrOf(deletedAt('2025-12-31T23:59:50Z')), writes: [patch] },
  { does: 'waits until then', cidr: cidrOf(deletedAt('2025-12-31T23:59:57Z')), requeueAfter: 7_000 },
  {
    does: 'holds one whose addresses Services have, says so, and looks again',
    cidr: cidrOf(deletedAt('2025-12-31T23:00:00Z'), isReady),
    taken: ['10.96.0.7'],
    writes: [patchStatus],
    requeueAfter: 5_000,
  },
  {
    does: 'lets it go when another range has them, too',
    cidr: cidrOf(deletedAt('2025-12-31T23:00:00Z'), isReady),
    others: [cidrOf({ name: 'other' })],
    taken: ['10.96.0.7'],
    writes: [patch],
  },
  {
    does: 'counts on no other range that goes itself',
    cidr: cidrOf(deletedAt('2025-12-31T23:00:00Z'), isReady),
    others: [cidrOf({ name: 'other', ...deletedAt('2025-12-31T23:00:00Z') })],
    taken: ['10.96.0.7'],
    writes: [patchStatus],
    requeueAfter: 5_000,
  },
  {
    does: 'leaves alone one that others hold',
    cidr: cidrOf({ deletionTimestamp: '2025-12-31T23:00:00Z', finalizers: ['example.com/other'] }),
  },
  {
    does: 'comes back when it is gone meanwhile: news of that is on its way',
    cidr: cidrOf(),
    meanwhile: (bed) => bed.client.forget(serviceCidrs, 'extra'),
    writes: [patch],
    error: 'servicecidrs "extra" not found',
  },
];

describe('a ServiceCIDR', () => {
  for (const { does, cidr, others = [], taken = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      await using bed = new TestBed();
      for (const one of [cidr, ...others]) bed.put(serviceCidrs, one);
      for (const name of taken) bed.put(ipAddresses, addressOf(name));
      const controller = new ServiceCidrController(bed.context);
      await bed.deliver();
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, 'extra'), { writes: [], events: [], ...expected });
    });
  }

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new ServiceCidrController(bed.context), 'extra'), { writes: [], events: [] });
  });

  test('that is held says since when', async () => {
    await using bed = new TestBed();
    bed.put(serviceCidrs, cidrOf(deletedAt('2025-12-31T23:00:00Z'), isReady));
    bed.put(ipAddresses, addressOf('10.96.0.7'));
    const controller = new ServiceCidrController(bed.context);
    await bed.deliver();
    await bed.pass(controller, 'extra');
    const { status, reason, lastTransitionTime } = bed.client.find(serviceCidrs, 'extra')?.status?.conditions?.[0] ?? {};
    assert.deepEqual([status, reason, lastTransitionTime], ['False', 'Terminating', '2026-01-01T00:00:00Z']);
  });
});
