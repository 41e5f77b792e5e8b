import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeParts } from '../api/node-parts.ts';
import { grantCommand, manifest } from './manifest.ts';
import { manifestLimits } from './manifest-limits.ts';

const shown = (options: Parameters<typeof manifest>[0]): string[] =>
  manifest(options).map((o) => [o.kind, o.metadata.namespace, o.metadata.name].filter(Boolean).join(' '));

describe('manifest()', () => {
  test('has roles for every part, and the Service of the DNS servers', () => {
    assert.deepEqual(shown({ parts: nodeParts, clusterDns: '10.96.0.10' }), [
      'ClusterRoleBinding fairlead:proxy',
      'ClusterRole fairlead:net-agent',
      'ClusterRoleBinding fairlead:net-agent',
      'ClusterRole fairlead:dns',
      'ClusterRoleBinding fairlead:dns',
      'Role kube-system fairlead:dns',
      'RoleBinding kube-system fairlead:dns',
      'Service kube-system kube-dns',
      'ClusterRole fairlead:speaker',
      'ClusterRoleBinding fairlead:speaker',
      'Role kube-system fairlead:speaker',
      'RoleBinding kube-system fairlead:speaker',
    ]);
    assert.deepEqual(shown({ parts: ['proxy'], clusterDns: '10.96.0.10' }), ['ClusterRoleBinding fairlead:proxy']);
    assert.ok(!shown({ parts: ['dns'], clusterDns: '' }).some((name) => name.startsWith('Service')));
  });

  test("binds each part's own group, or who is named", () => {
    const bound = (options: object): unknown[] =>
      manifest({ parts: nodeParts, clusterDns: '', ...options }).flatMap((o) =>
        'subjects' in o ? (o.subjects as { kind: string; name: string }[]).map((s) => `${s.kind} ${s.name}`) : [],
      );
    assert.deepEqual(bound({}), [
      'Group system:fairlead:proxy',
      'Group system:fairlead:net-agent',
      'Group system:fairlead:dns',
      'Group system:fairlead:dns',
      'Group system:fairlead:speaker',
      'Group system:fairlead:speaker',
    ]);
    assert.deepEqual(new Set(bound({ group: 'system:nodes' })), new Set(['Group system:nodes']));
    assert.deepEqual(new Set(bound({ user: 'me' })), new Set(['User me']));
    // Applying it for one must not take it from the other.
    const names = (user: string): string[] => shown({ parts: ['proxy'], clusterDns: '', user });
    assert.notDeepEqual(names('me'), names('you'));
  });

  test('opens nothing that nodes are kept from: no Secrets, pods, tokens, or wildcards', () => {
    const key = '"resources":["secrets"],"resourceNames":["fairlead-speaker"],"verbs":["get","list","watch"]';
    const whole = JSON.stringify(manifest({ parts: nodeParts, clusterDns: '' }));
    assert.ok(whole.includes(key), 'the one Secret that speakers read, by its name');
    const text = whole.replace(key, '');
    for (const word of ['secrets', 'pods', 'serviceaccounts', 'configmaps', '"*"', 'system:node"']) assert.ok(!text.includes(word), word);
  });
});

test('manifestLimits() has a policy and its binding for each part that writes, by the group of the part', () => {
  const objects = manifestLimits(nodeParts);
  assert.deepEqual(
    objects.map((o) => `${o.kind} ${o.metadata.name}`),
    ['net-agent', 'dns'].flatMap((part) => [
      `ValidatingAdmissionPolicy fairlead-${part}`,
      `ValidatingAdmissionPolicyBinding fairlead-${part}`,
    ]),
  );
  assert.match(JSON.stringify(objects[0]), /'system:fairlead:net-agent' in request\.userInfo\.groups/);
  assert.deepEqual(manifestLimits(['proxy']), []);
});

test('grantCommand() names a group for nodes, and none for the users that parts have of their own', () => {
  assert.equal(grantCommand('dns', 'system:fairlead:dns:w1'), 'to allow it: fairlead manifest dns | kubectl apply -f -');
  assert.equal(grantCommand('dns', 'system:node:w1'), 'to allow it: fairlead manifest dns --group system:nodes | kubectl apply -f -');
  assert.equal(grantCommand('proxy', 'someone'), 'to allow it: fairlead manifest proxy --user someone | kubectl apply -f -');
});
