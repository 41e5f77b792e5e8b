import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkBindingEscalation, checkRoleEscalation } from './escalation.ts';
import { authorizerWith, person } from './testing/fake-objects.ts';
import { aggregatedRole, binding, clusterBinding, clusterRole, group, role, rule, user } from './testing/policy-builder.ts';

const jane = person('jane');
const authorizer = authorizerWith([
  clusterRole('mine', [rule('get list', 'core', 'pods'), rule('get', 'core', 'secrets', 'a')]),
  clusterBinding('mine', [user('jane')]),
  clusterRole('escalator', [rule('escalate bind', 'rbac.authorization.k8s.io', 'roles clusterroles', 'special')]),
  clusterBinding('escalator', [user('jane')]),
]);

describe('checkRoleEscalation()', () => {
  test('lets a user grant what they have', () => {
    assert.equal(checkRoleEscalation(jane, role('default', 'r', [rule('get', 'core', 'pods')]), undefined, authorizer), undefined);
    assert.equal(checkRoleEscalation(jane, role('default', 'r', [rule('get', 'core', 'secrets', 'a')]), undefined, authorizer), undefined);
  });

  test('names what they do not have', () => {
    const wanted = role('default', 'r', [rule('get delete watch', 'core apps', 'pods'), rule('get', 'core', 'secrets')]);
    assert.deepEqual(checkRoleEscalation(jane, wanted, undefined, authorizer), {
      code: 403,
      message:
        'user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "delete" "watch"]}\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    });
  });

  test('takes a wildcard for more than any list', () => {
    for (const verbs of ['*', 'get *'])
      assert.equal(checkRoleEscalation(jane, role('default', 'r', [rule(verbs, 'core', 'pods')]), undefined, authorizer)?.code, 403);
    assert.equal(checkRoleEscalation(jane, role('default', 'r', [rule('get', '*', 'pods')]), undefined, authorizer)?.code, 403);
    assert.equal(checkRoleEscalation(jane, role('default', 'r', [rule('get', 'core', '*')]), undefined, authorizer)?.code, 403);
  });

  test('does not ask again for rules that stay', () => {
    const old = clusterRole('r', [rule('*', '*', '*')]);
    assert.equal(checkRoleEscalation(jane, { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } }, old, authorizer), undefined);
  });

  test('does not count for ever what long lists stand for', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `x${i}`).join(' ');
    const refusal = checkRoleEscalation(jane, role('default', 'r', [rule(many, many, many, many)]), undefined, authorizer);
    assert.match(refusal?.message ?? '', /1000000000 combinations .* split the role/);
  });

  test('lets nobody but an administrator aggregate', () => {
    assert.match(checkRoleEscalation(jane, aggregatedRole('r', 'x'), undefined, authorizer)?.message ?? '', /cluster-admin/);
    assert.equal(checkRoleEscalation(person('root', 'system:masters'), aggregatedRole('r', 'x'), undefined, authorizer), undefined);
  });

  test('lets those who may escalate', () => {
    assert.equal(checkRoleEscalation(jane, clusterRole('special', [rule('*', '*', '*')]), undefined, authorizer), undefined);
  });
});

describe('checkBindingEscalation()', () => {
  test('lets a user bind a role that they have', () => {
    assert.equal(checkBindingEscalation(jane, clusterBinding('mine', [user('joe')], 'joe'), undefined, authorizer), undefined);
  });

  test('refuses a role that holds more', () => {
    assert.equal(checkBindingEscalation(jane, clusterBinding('cluster-admin', [user('jane')], 'me'), undefined, authorizer)?.code, 403);
  });

  test('refuses one more subject on a binding that is there', () => {
    const old = clusterBinding('cluster-admin', [group('system:masters')]);
    assert.equal(
      checkBindingEscalation(jane, clusterBinding('cluster-admin', [group('system:masters'), user('jane')]), old, authorizer)?.code,
      403,
    );
    assert.equal(checkBindingEscalation(jane, old, old, authorizer), undefined);
  });

  test('does not find a role that is not there', () => {
    assert.deepEqual(checkBindingEscalation(jane, binding('default', 'none', [user('joe')]), undefined, authorizer), {
      code: 404,
      message: 'roles.rbac.authorization.k8s.io "none" not found',
    });
  });

  test('lets those who may bind', () => {
    assert.equal(checkBindingEscalation(jane, clusterBinding('special', [user('joe')]), undefined, authorizer), undefined);
  });
});
