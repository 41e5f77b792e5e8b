/** The official JavaScript client against the server: what it insists on is what other clients insist on too. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { eventually } from '../clock/testing/eventually.ts';
import { TestServer } from './testing/test-server.ts';

/** Resolves when `check` holds; fails after half a minute. */
describe('@kubernetes/client-node', () => {
  let s: TestServer;
  let config: k8s.KubeConfig;

  before(async () => {
    s = await TestServer.start();
    const { cert, key } = await s.pki.client('admin', 'system:masters');
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    config = new k8s.KubeConfig();
    config.loadFromClusterAndUser(
      { name: 'test', server: s.url, caData: base64(s.pki.ca), skipTLSVerify: false },
      { name: 'admin', certData: base64(cert), keyData: base64(key) },
    );
  });
  after(() => s.stop());

  test('creates, reads, patches and deletes', async () => {
    const api = config.makeApiClient(k8s.CoreV1Api);
    const namespace = 'default';
    const made = await api.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' }, data: { x: '1' } } });
    assert.ok(made.metadata?.creationTimestamp instanceof Date);
    const patched = await api.patchNamespacedConfigMap(
      { namespace, name: 'a', body: { data: { y: '2' } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(patched.data, { x: '1', y: '2' });
    assert.equal((await api.deleteNamespacedConfigMap({ namespace, name: 'a' })).status, 'Success');
    await assert.rejects(api.readNamespacedConfigMap({ namespace, name: 'a' }), (err: k8s.ApiException<string>) => err.code === 404);
  });

  test('keeps an informer up to date', async () => {
    const api = config.makeApiClient(k8s.CoreV1Api);
    await api.createNamespacedSecret({ namespace: 'default', body: { metadata: { name: 'before' } } });
    const informer = k8s.makeInformer(config, '/api/v1/secrets', () => api.listSecretForAllNamespaces());
    const seen: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, (o) => seen.push(`${verb} ${o.metadata?.name}`));
    await informer.start();
    await eventually('the list', () => seen.includes('add before'));
    await api.createNamespacedSecret({ namespace: 'default', body: { metadata: { name: 'after' }, stringData: { a: 'b' } } });
    await eventually('the addition', () => seen.includes('add after'));
    await api.deleteNamespacedSecret({ namespace: 'default', name: 'after' });
    await eventually('the deletion', () => seen.includes('delete after'));
    await informer.stop();
  });

  test('finds what it may do, and acts by the token of an account', async () => {
    const api = config.makeApiClient(k8s.CoreV1Api);
    const rbac = config.makeApiClient(k8s.RbacAuthorizationV1Api);
    const namespace = 'default';
    await api.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'reader' } } });
    await rbac.createNamespacedRole({
      namespace,
      body: { metadata: { name: 'reader' }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }] },
    });
    await rbac.createNamespacedRoleBinding({
      namespace,
      body: {
        metadata: { name: 'reader' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
        subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
      },
    });
    const { status } = await api.createNamespacedServiceAccountToken({ namespace, name: 'reader', body: { spec: { audiences: [] } } });
    const cluster = config.getCurrentCluster()!;
    const own = new k8s.KubeConfig();
    own.loadFromClusterAndUser(cluster, { name: 'reader', token: status?.token ?? '' });
    const asReader = own.makeApiClient(k8s.CoreV1Api);
    assert.ok((await asReader.listNamespacedConfigMap({ namespace })).items);
    await assert.rejects(asReader.listNamespacedSecret({ namespace }), (err: k8s.ApiException<string>) => err.code === 403);
    const review = await own
      .makeApiClient(k8s.AuthorizationV1Api)
      .createSelfSubjectAccessReview({ body: { spec: { resourceAttributes: { verb: 'list', resource: 'configmaps', namespace } } } });
    assert.equal(review.status?.allowed, true);
    const who = await own.makeApiClient(k8s.AuthenticationV1Api).createSelfSubjectReview({ body: {} });
    assert.equal(who.status?.userInfo?.username, 'system:serviceaccount:default:reader');
  });
});
