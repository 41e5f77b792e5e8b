import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePolicy } from './policy-text.ts';
import {
  aggregatedRole,
  binding,
  clusterBinding,
  clusterRole,
  group,
  paths,
  role,
  rule,
  serviceAccount,
  user,
} from './testing/policy-builder.ts';

describe('parsePolicy()', () => {
  const cases: Readonly<Record<string, readonly [text: string, objects: readonly object[]]>> = {
    'nothing of what is empty': ['\n# a remark\n  # another\n', []],
    'a role without rules': ['ClusterRole r', [clusterRole('r', [])]],
    'rules of resources and of paths': [
      'ClusterRole r\n  get list — core apps: pods pods/log\n\n  # why\n  * — *: *\n  get — /healthz /healthz/*\n  * — *\n',
      [
        clusterRole('r', [
          rule('get list', 'core apps', 'pods pods/log'),
          rule('*', '*', '*'),
          paths('get', '/healthz', '/healthz/*'),
          paths('*', '*'),
        ]),
      ],
    ],
    'names of resources': [
      'ClusterRole r\n  get — core: configmaps (a example.com/b)',
      [clusterRole('r', [rule('get', 'core', 'configmaps', 'a', 'example.com/b')])],
    ],
    labels: ['ClusterRole r a/b=true c=d', [clusterRole('r', [], { 'a/b': 'true', c: 'd' })]],
    'a role that is made of others': ['ClusterRole r a=b\n  all with {"x/y":"true"}', [aggregatedRole('r', 'x/y', { a: 'b' })]],
    'a role of a namespace': ['Role ns/r\n  get — core: pods', [role('ns', 'r', [rule('get', 'core', 'pods')])]],
    'a binding of each kind of subject': [
      'ClusterRoleBinding b → ClusterRole r\n  User u\n  Group system:g\n  ServiceAccount ns/a',
      [clusterBinding('r', [user('u'), group('system:g'), serviceAccount('ns', 'a')], 'b')],
    ],
    'a binding to nobody': ['ClusterRoleBinding b → ClusterRole r', [clusterBinding('r', [], 'b')]],
    'a binding of a namespace, and what follows it': [
      'RoleBinding ns/b → Role r\n  User u\nRole ns/r',
      [binding('ns', 'r', [user('u')], 'b'), role('ns', 'r', [])],
    ],
  };
  for (const [what, [text, objects]] of Object.entries(cases)) test(`reads ${what}`, () => assert.deepEqual(parsePolicy(text), objects));

  for (const [what, text] of Object.entries({
    'a line of nothing': '  get — core: pods',
    'a head without a name': 'ClusterRole',
    'a role that refers to another': 'ClusterRole r → ClusterRole s',
    'a binding that refers to none': 'RoleBinding ns/b',
    'a rule without verbs': 'ClusterRole r\n  core: pods',
    'a subject of no kind': 'ClusterRoleBinding b → ClusterRole r\n  Robot x',
    'a subject without a name': 'ClusterRoleBinding b → ClusterRole r\n  User',
  }))
    test(`refuses ${what}`, () => assert.throws(() => parsePolicy(text), /^Error: Cannot read ".*" of a policy$/));
});
