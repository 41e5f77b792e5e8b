import assert from 'node:assert/strict';
import test from 'node:test';
import { leases } from '../../api/resource-types.ts';
import type { Lease } from '../../api/schema/types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { NodeLease } from './node-lease.ts';

/** The Lease of node n1 at an API server. */
class Bed {
  readonly clock = new FakeClock();
  readonly api = new FakeClient(this.clock);
  readonly lease = new NodeLease(this.api, this.clock, 'n1');

  get kept(): Lease | undefined {
    return this.api.find(leases, 'kube-node-lease/n1');
  }

  lines(): string[] {
    return this.api.writes.splice(0).map((w) => w.line);
  }
}

test('a Lease is made with its node as owner, and renewed without another look', async () => {
  const bed = new Bed();
  await bed.lease.renew('u1');
  assert.deepEqual(bed.kept?.spec, { holderIdentity: 'n1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' });
  assert.deepEqual(bed.kept?.metadata.ownerReferences, [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1' }]);
  await bed.clock.advance(10_000);
  await bed.lease.renew('u1');
  assert.equal(bed.kept?.spec?.renewTime, '2026-01-01T00:00:10.000000Z');
  assert.deepEqual(bed.lines(), ['create leases kube-node-lease/n1', 'update leases kube-node-lease/n1']);
  assert.deepEqual(bed.api.reads, []);
});

test('a Lease has no owner while the node has no uid', async () => {
  const bed = new Bed();
  await bed.lease.renew(undefined);
  assert.equal(bed.kept?.metadata.ownerReferences, undefined);
});

test('a Lease of an earlier process is taken over, with what others wrote into it', async () => {
  const bed = new Bed();
  bed.api.put(leases, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'n1', namespace: 'kube-node-lease' },
    spec: { holderIdentity: 'n1', leaseTransitions: 3 },
  });
  await bed.lease.renew('u1');
  assert.deepEqual([bed.kept?.spec?.leaseTransitions, bed.kept?.spec?.leaseDurationSeconds], [3, 40]);
});

test('a Lease that was deleted is made anew, at once when its node is known to be gone', async () => {
  const bed = new Bed();
  await bed.lease.renew('u1');
  await bed.api.delete(leases, 'n1', { namespace: 'kube-node-lease' });
  bed.lines();
  await bed.lease.renew('u2');
  assert.equal(bed.kept?.metadata.ownerReferences?.[0]?.uid, 'u2');
  assert.equal(bed.lines().at(-1), 'create leases kube-node-lease/n1');
  await bed.api.delete(leases, 'n1', { namespace: 'kube-node-lease' });
  bed.lines();
  bed.lease.forget();
  await bed.lease.renew('u3');
  assert.deepEqual(bed.lines(), ['create leases kube-node-lease/n1']);
});
