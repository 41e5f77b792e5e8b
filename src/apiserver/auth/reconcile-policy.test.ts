import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterRole } from '../../api/schema/types.ts';
import { reconcile } from './reconcile-policy.ts';
import { clusterBinding, clusterRole, rule, user } from './testing/policy-builder.ts';

describe('reconcile()', () => {
  const wanted = clusterRole('r', [rule('get', 'core', 'pods'), rule('list', 'core', 'pods')]);

  test('creates what is not there', () => {
    assert.deepEqual(reconcile(undefined, wanted), { action: 'create', object: wanted });
  });

  test('leaves what is complete, with what others added', () => {
    const more = {
      ...wanted,
      rules: [...wanted.rules!, rule('watch', 'core', 'pods')],
      metadata: { ...wanted.metadata, resourceVersion: '7', uid: 'u' },
    };
    assert.equal(reconcile(more, wanted), undefined);
  });

  test('adds rules and subjects that are missing', () => {
    const less = { ...wanted, rules: [wanted.rules![1]!], metadata: { ...wanted.metadata, resourceVersion: '7' } };
    const result = reconcile(less, wanted);
    assert.equal(result?.action, 'update');
    assert.deepEqual((result.object as ClusterRole).rules, [wanted.rules![1], wanted.rules![0]]);
    assert.equal(result.object.metadata.resourceVersion, '7');
    const bound = reconcile(clusterBinding('r', [user('a')]), clusterBinding('r', [user('a'), user('b')]));
    assert.ok(bound && 'subjects' in bound.object);
    assert.deepEqual(bound.object.subjects, [user('a'), user('b')]);
  });

  test('leaves alone what says so', () => {
    const own = { ...wanted, rules: [], metadata: { name: 'r', annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } };
    assert.equal(reconcile(own, wanted), undefined);
  });
});
