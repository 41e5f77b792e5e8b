import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { impersonate, isImpersonating } from './impersonation.ts';
import { authorizerWith, person } from './testing/fake-objects.ts';
import { clusterBinding, clusterRole, rule, user } from './testing/policy-builder.ts';

const authorizer = authorizerWith([
  clusterRole('actor', [
    rule('impersonate', 'core', 'users', 'joe'),
    rule('impersonate', 'core', 'groups', 'dev', 'ops, too'),
    rule('impersonate', 'core', 'serviceaccounts', 'robot'),
    rule('impersonate', 'authentication.k8s.io', 'userextras/scopes', 'view'),
    rule('impersonate', 'authentication.k8s.io', 'uids', '7'),
  ]),
  clusterBinding('actor', [user('jane')]),
]);
const jane = person('jane');

test('isImpersonating() says whether a request names somebody else, or a part of one', () => {
  const asked = ['impersonate-user', 'impersonate-group', 'impersonate-uid', 'impersonate-extra-scopes'];
  for (const name of asked) assert.equal(isImpersonating({ accept: '*/*', [name]: 'joe' }), true, name);
  assert.equal(isImpersonating({ accept: '*/*', 'x-impersonate-user': 'joe' }), false);
});

describe('impersonate()', () => {
  test('leaves the user when nobody else is asked for', () => {
    assert.deepEqual(impersonate(jane, {}, authorizer), { ok: true, user: jane });
  });

  test('acts as a user with groups, uid and extra', () => {
    const headers = {
      'impersonate-user': ['joe'],
      'impersonate-group': ['dev', 'ops, too'],
      'impersonate-uid': ['7'],
      'impersonate-extra-scopes': ['view'],
    };
    assert.deepEqual(impersonate(jane, headers, authorizer), {
      ok: true,
      user: { name: 'joe', groups: ['dev', 'ops, too', 'system:authenticated'], uid: '7', extra: { scopes: ['view'] } },
    });
  });

  test('gives a ServiceAccount its groups', () => {
    const result = impersonate(jane, { 'impersonate-user': ['system:serviceaccount:default:robot'] }, authorizer);
    assert.deepEqual(result.ok && result.user.groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']);
  });

  const refused: [string, Record<string, string[]>, string][] = [
    [
      'another user',
      { 'impersonate-user': ['root'] },
      'users "root" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
    ],
    [
      'another group',
      { 'impersonate-user': ['joe'], 'impersonate-group': ['system:masters'] },
      'groups "system:masters" is forbidden: User "jane" cannot impersonate resource "groups" in API group "" at the cluster scope',
    ],
    [
      'another extra value',
      { 'impersonate-user': ['joe'], 'impersonate-extra-scopes': ['edit'] },
      'userextras.authentication.k8s.io "edit" is forbidden: User "jane" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
    ],
  ];
  for (const [name, headers, message] of refused) {
    test(`refuses ${name}`, () => assert.deepEqual(impersonate(jane, headers, authorizer), { ok: false, code: 403, message }));
  }

  test('wants a user with the group', () => {
    const result = impersonate(jane, { 'impersonate-group': ['dev'] }, authorizer);
    assert.equal(!result.ok && result.code, 400);
  });
});
