import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { ClusterRole, PolicyRule, Subject } from '../../api/schema/types.ts';
import { bootstrapPolicy, reconcile } from './bootstrap-policy.ts';
import { clusterBinding, clusterRole, rule, user } from './policy-builder.ts';

const golden = new URL('testing/bootstrap-policy.txt', import.meta.url);

function ruleText({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): string {
  const groups = apiGroups?.map((group) => group || 'core').join(' ');
  const what = nonResourceURLs?.join(' ') ?? `${groups}: ${resources?.join(' ')}`;
  return `  ${verbs.join(' ')} — ${what}${resourceNames ? ` (${resourceNames.join(' ')})` : ''}`;
}

function subjectText({ kind, name, namespace }: Subject): string {
  return `  ${kind} ${namespace ? `${namespace}/` : ''}${name}`;
}

/** An object as a person reads it: its name and labels, then who or what. */
function linesOf(object: ReturnType<typeof bootstrapPolicy>[number]): string[] {
  const { name, namespace, labels = {} } = object.metadata;
  const own = Object.entries(labels).filter(([key]) => key !== 'kubernetes.io/bootstrapping');
  const head = [`${object.kind} ${namespace ? `${namespace}/` : ''}${name}`, ...own.map(([key, value]) => `${key}=${value}`)].join(' ');
  if ('roleRef' in object) return [`${head} → ${object.roleRef.kind} ${object.roleRef.name}`, ...(object.subjects ?? []).map(subjectText)];
  const selectors = 'aggregationRule' in object ? object.aggregationRule?.clusterRoleSelectors : undefined;
  return [
    head,
    ...(selectors ?? []).map(({ matchLabels }) => `  all with ${JSON.stringify(matchLabels)}`),
    ...(object.rules ?? []).map(ruleText),
  ];
}

describe('bootstrapPolicy()', () => {
  const policy = bootstrapPolicy();
  // Who gets more or less by a change is read in its difference. UPDATE_GOLDEN=1 writes it anew.
  test('gives each part of a cluster what the list says, and no more', () => {
    const text = `${policy.flatMap(linesOf).join('\n')}\n`;
    if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
    assert.equal(text, readFileSync(golden, 'utf8'));
  });

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
