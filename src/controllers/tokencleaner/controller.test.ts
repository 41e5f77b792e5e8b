import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { secrets } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { tokenSecret } from '../testing/bootstrap-tokens.ts';
import { TestBed } from '../testing/test-bed.ts';
import { TokenCleanerController } from './controller.ts';

const key = 'kube-system/bootstrap-token-abcdef';
const gone = { writes: [`delete secrets ${key}`] };

async function pass(secret: Secret, meanwhile?: (bed: TestBed) => void): Promise<Pass> {
  await using bed = new TestBed();
  bed.put(secrets, secret);
  const controller = new TokenCleanerController(bed.context);
  await bed.deliver();
  meanwhile?.(bed);
  return await bed.pass(controller, key);
}

/** The clock of tests stands at 2026-01-01T00:00:00Z. */
describe('a bootstrap token', () => {
  for (const [what, expiration, does] of [
    ['goes when its time is over', '2026-01-01T00:00:00Z', gone],
    ['goes when nobody can read its time', 'tomorrow', gone],
    ['is looked at again when its time will be over', '2026-01-01T00:00:10Z', { requeueAfter: 10_000 }],
    ['stays without an end', undefined, {}],
  ] as const)
    test(what, async () => assert.deepEqual(await pass(tokenSecret({ expiration })), { writes: [], events: [], ...does }));

  test('is only deleted while it is the same one', async () => {
    await using bed = new TestBed();
    bed.put(secrets, tokenSecret({ expiration: '2025-01-01T00:00:00Z' }));
    const controller = new TokenCleanerController(bed.context);
    await bed.deliver();
    await controller.reconcile(key);
    assert.deepEqual(JSON.parse(bed.client.writes[0]?.json ?? '{}').preconditions, { uid: 'uid-bootstrap-token-abcdef' });
  });

  const expired = tokenSecret({ expiration: '2025-01-01T00:00:00Z' });
  test('that is gone, or another one by now, is fine', async () => {
    assert.equal((await pass(expired, (bed) => bed.client.forget(secrets, key))).error, undefined);
    assert.equal((await pass(expired, (bed) => bed.client.refuse(/delete/, refusal(409, 'Conflict')))).error, undefined);
    assert.equal((await pass(expired, (bed) => bed.client.refuse(/delete/, refusal(500, 'InternalError', 'no')))).error, 'no');
  });

  test('is heard of; other Secrets are not', async () => {
    await using bed = new TestBed();
    const news = bed.listen(new TokenCleanerController(bed.context));
    bed.put(secrets, tokenSecret());
    bed.put(secrets, { ...tokenSecret(), metadata: { name: 'a', namespace: 'kube-system' }, type: 'Opaque' });
    bed.put(secrets, { ...tokenSecret(), metadata: { name: 'a', namespace: 'default' } });
    assert.deepEqual(await news.deliver(), [key]);
  });
});
