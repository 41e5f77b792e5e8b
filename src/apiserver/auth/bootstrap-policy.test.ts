import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterRole } from '../../api/schema/types.ts';
import { bootstrapPolicy, reconcile } from './bootstrap-policy.ts';
import { clusterBinding, clusterRole, rule, user } from './policy-builder.ts';

describe('bootstrapPolicy()', () => {
  const policy = bootstrapPolicy();
  const keyOf = (object: (typeof policy)[number]): string => `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;

  test('names every object once', () => {
    assert.equal(new Set(policy.map(keyOf)).size, policy.length);
  });

  test('binds nothing but roles that it has', () => {
    const keys = new Set(policy.map(keyOf));
    for (const object of policy) {
      if (!('roleRef' in object)) continue;
      const { kind, name } = object.roleRef;
      const namespace = kind === 'Role' ? (object.metadata.namespace ?? '') : '';
      assert.ok(keys.has(`${kind} ${namespace}/${name}`), `${keyOf(object)} binds ${kind} ${name}`);
    }
  });

  test('takes no name that people give to their own: every one has a prefix, or is one that every cluster has', () => {
    const everywhere = ['cluster-admin', 'admin', 'edit', 'view', 'extension-apiserver-authentication-reader'];
    const own = policy.map((object) => object.metadata.name).filter((name) => !/^(system|kubeadm):/.test(name));
    assert.deepEqual(
      own.filter((name) => !everywhere.includes(name)),
      [],
    );
  });

  test('has the roles that charts and manifests refer to', () => {
    const names = new Set(policy.filter((object) => object.kind === 'ClusterRole').map((object) => object.metadata.name));
    for (const name of ['cluster-admin', 'admin', 'edit', 'view', 'system:auth-delegator', 'system:node-proxier', 'system:kube-dns'])
      assert.ok(names.has(name), name);
  });
});

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
