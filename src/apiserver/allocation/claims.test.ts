import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '../../api/schema/types.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import { claimAhead, claimOf } from './claims.ts';
import { PortClaims } from './port-claims.ts';

const service = (name: string): Service => ({ metadata: { namespace: 'default', name } }) as Service;

describe('claimAhead()', () => {
  test('makes a claim, writes the own one anew, and leaves that of another', async () => {
    const claims = new PortClaims(new MemoryStore());
    assert.equal(await claimAhead(claims, '30001', service('a')), true);
    const first = await claims.get('30001');
    assert.equal(await claimAhead(claims, '30001', service('a')), true);
    assert.equal((await claims.get('30001'))?.revision, (first?.revision ?? 0) + 1, 'so that nobody takes it for left over');
    assert.equal(await claimAhead(claims, '30001', service('b')), false);
    assert.equal((await claims.get('30001'))?.owner, 'default/a');
  });
});

describe('claimOf()', () => {
  test('is the claim of the Service as it is now, and of no other', async () => {
    const store = new MemoryStore();
    const claims = new PortClaims(store);
    assert.deepEqual(await claimOf(claims, '30001', service('a')), []);
    await claims.take('30001', service('a'));
    const found = await claimOf(claims, '30001', service('a'));
    assert.deepEqual(found, [{ key: '/registry/ranges/servicenodeports/30001', ifRevision: await store.revision() }]);
    assert.deepEqual(await claimOf(claims, '30001', service('b')), []);
  });
});
