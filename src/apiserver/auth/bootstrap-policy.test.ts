import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { nodePartGroup, nodeParts } from '../../api/node-parts.ts';
import type { PolicyRule, Subject } from '../../api/schema/types.ts';
import { bootstrapPolicy } from './bootstrap-policy.ts';
import { commonNodeRules } from './node-authorizer.ts';

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
  test('is the list, line by line', () => {
    const lines = readFileSync(new URL('bootstrap-policy.txt', import.meta.url), 'utf8').split('\n');
    assert.deepEqual(
      policy.flatMap(linesOf),
      lines.filter((line) => line.trim() !== '' && !line.trim().startsWith('#')),
    );
  });

  test('gives the role of a node all that the Node authorizer gives to every node', () => {
    const role = policy.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'system:node');
    assert.ok(role && 'rules' in role);
    assert.deepEqual(role.rules?.slice(0, commonNodeRules.length), commonNodeRules);
  });

  test('binds something to each part of a node', () => {
    const groups = policy.flatMap((object) => ('subjects' in object ? (object.subjects ?? []) : [])).map(({ name }) => name);
    for (const part of nodeParts) assert.ok(groups.includes(nodePartGroup(part)), part);
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
