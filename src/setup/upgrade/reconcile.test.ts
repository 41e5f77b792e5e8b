import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { PolicyRule } from '../../api/schema/types.ts';
import { ApiError } from '../../client/api-error.ts';
import { accessChange, clusterConfigurationNow, type ReconcileClient, reconcileAccess, reconcileSettings } from './reconcile.ts';

const rbac = 'rbac.authorization.k8s.io';
const rule = (...resources: string[]): PolicyRule => ({ apiGroups: [''], resources, verbs: ['get', 'list'] });
const role = (rules: PolicyRule[], annotations: Record<string, string> = {}) => ({
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRole',
  metadata: { name: 'a', annotations },
  rules,
});
const binding = (to: string, ...names: string[]) => ({
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name: 'a' },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: to },
  subjects: names.map((name) => ({ apiGroup: rbac, kind: 'Group', name })),
});

describe('accessChange()', () => {
  test('adds what is missing, and keeps what somebody has added', () => {
    assert.deepEqual(accessChange(role([rule('pods')]), role([rule('nodes')])), { rules: [rule('pods'), rule('nodes')] });
    assert.deepEqual(accessChange(binding('r', 'x'), binding('r', 'x', 'y')), { subjects: binding('r', 'x', 'y').subjects });
    assert.equal(accessChange(role([rule('pods'), rule('nodes')]), role([rule('nodes')])), undefined);
  });

  test('takes no order of a list, and no field that says nothing, for a difference', () => {
    const found = { ...rule('a', 'b'), verbs: ['list', 'get'], resourceNames: undefined as never };
    assert.equal(accessChange(role([found]), role([rule('b', 'a')])), undefined);
    const subject = { ...binding('r', 'x').subjects[0]!, namespace: '' };
    assert.equal(accessChange({ ...binding('r'), subjects: [subject] }, binding('r', 'x')), undefined);
  });

  test('makes a binding to another role anew, which cannot be changed', () => {
    assert.equal(accessChange(binding('old', 'x'), binding('new', 'x')), 'anew');
  });

  test('lets alone what its owner has taken out of the updates', () => {
    const mine = role([], { 'rbac.authorization.kubernetes.io/autoupdate': 'false' });
    assert.equal(accessChange(mine, role([rule('nodes')])), undefined);
    assert.notEqual(accessChange(role([], { 'rbac.authorization.kubernetes.io/autoupdate': 'true' }), role([rule('nodes')])), undefined);
  });
});

/** Holds objects by kind and name, and writes down what is done to them. */
function fakeClient(objects: readonly KubeObject[]): { readonly done: string[]; readonly client: ReconcileClient } {
  const done: string[] = [];
  const held = [...objects];
  const tell = (text: string): never => {
    done.push(text);
    // Nobody looks at the answers.
    return undefined as never;
  };
  const client: ReconcileClient = {
    get: async (type, name, { namespace } = {}) => {
      const found = held.find(({ kind, metadata }) => kind === type.kind && metadata.name === name && metadata.namespace === namespace);
      if (!found)
        throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 404, reason: 'NotFound', message: '' } as never);
      return found as never;
    },
    create: async (type, object) => tell(`create ${type.kind} ${object.metadata.name}`),
    patch: async (type, name, patch) => tell(`patch ${type.kind} ${name} ${JSON.stringify(patch)}`),
    delete: async (type, name) => tell(`delete ${type.kind} ${name}`),
  };
  return { done, client };
}

describe('reconcileAccess()', () => {
  test('makes what is not there, changes what differs, and does not look at other kinds', async () => {
    const map: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } };
    const { client, done } = fakeClient([role([rule('pods')])]);
    assert.equal(await reconcileAccess(client, [role([rule('nodes')]), binding('a', 'x'), map]), true);
    assert.deepEqual(done, [
      `patch ClusterRole a ${JSON.stringify({ rules: [rule('pods'), rule('nodes')] })}`,
      'create ClusterRoleBinding a',
    ]);
  });

  test('deletes a binding before it is made anew', async () => {
    const { client, done } = fakeClient([binding('old', 'x')]);
    assert.equal(await reconcileAccess(client, [binding('new', 'x')]), true);
    assert.deepEqual(done, ['delete ClusterRoleBinding a', 'create ClusterRoleBinding a']);
  });

  test('does nothing where all is as it should be, in a namespace too', async () => {
    const own = { ...role([rule('pods')]), kind: 'Role', metadata: { name: 'a', namespace: 'kube-system' } };
    const { client, done } = fakeClient([own, binding('a', 'x')]);
    assert.equal(await reconcileAccess(client, [own, binding('a', 'x')]), false);
    assert.deepEqual(done, []);
  });
});

describe('clusterConfigurationNow()', () => {
  const text = '# ours\napiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: v1.34.0\n';
  test('brings form and version up to date, and keeps the rest', () => {
    assert.equal(clusterConfigurationNow(text, 'v1.35.0'), text.replace('v1beta3', 'v1beta4').replace('v1.34.0', 'v1.35.0'));
  });

  test('leaves what is up to date, has no version, or has parts that the newer form writes otherwise', () => {
    const now = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n';
    assert.equal(clusterConfigurationNow(now, 'v1.35.0'), undefined);
    assert.equal(clusterConfigurationNow(`${now}kubernetesVersion: v1.35.0\n`, 'v1.35.0'), undefined);
    const older = 'apiVersion: kubeadm.k8s.io/v1beta3\napiServer: { extraArgs: { a: b } }\n';
    assert.equal(clusterConfigurationNow(older, 'v1.35.0'), undefined);
  });

  test('is written back, where there is one', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kubeadm-config', namespace: 'kube-system' } };
    const { client, done } = fakeClient([{ ...map, data: { ClusterConfiguration: text } } as KubeObject]);
    assert.equal(await reconcileSettings(client, 'v1.35.0'), true);
    assert.match(done.join('\n'), /^patch ConfigMap kubeadm-config .*v1beta4.*v1\.35\.0/);
    assert.equal(await reconcileSettings(fakeClient([]).client, 'v1.35.0'), false);
  });
});
