/** The API server to a program with the official client library: verbs, watches, identity and what it may do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { type Cluster, refusal } from '../testing/cluster.ts';
import { all, boxPod } from '../testing/manifests.ts';

const space = 'api';

const readerRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get, list] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: readers }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
subjects: [{ kind: ServiceAccount, name: default, namespace: ${space} }]
`;

/** The HTTP code of a request without any credentials. */
function anonymously(server: string, path: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(`${server}${path}`, { ca, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject).end();
  });
}

export function apiSuite(cluster: () => Cluster): void {
  describe('api', { concurrency: 3 }, () => {
    before(() => cluster().namespace(space));

    const configMap = (name: string, data: Record<string, string>): V1ConfigMap => ({ metadata: { name, labels: { set: 'verbs' } }, data });

    test('create, read, replace, patch and delete', async () => {
      const { core } = cluster();
      const at = { name: 'verbs', namespace: space };
      const made = await core.createNamespacedConfigMap({ namespace: space, body: configMap('verbs', { a: '1' }) });
      assert.ok(made.metadata?.uid && made.metadata.resourceVersion && made.metadata.creationTimestamp);
      assert.equal((await refusal(core.createNamespacedConfigMap({ namespace: space, body: configMap('verbs', {}) }))).code, 409);
      const replaced = await core.replaceNamespacedConfigMap({ ...at, body: { ...made, data: { a: '2' } } });
      assert.equal(replaced.data?.a, '2');
      const stale = await refusal(core.replaceNamespacedConfigMap({ ...at, body: { ...made, data: { a: '3' } } }));
      assert.equal(stale.code, 409);
      assert.match(stale.message, /the object has been modified; please apply your changes to the latest version and try again/);
      const patch = (strategy: string, body: object): Promise<V1ConfigMap> =>
        core.patchNamespacedConfigMap({ ...at, body }, setHeaderOptions('Content-Type', strategy));
      assert.deepEqual((await patch(PatchStrategy.MergePatch, { data: { a: null, b: '4' } })).data, { b: '4' });
      assert.deepEqual((await patch(PatchStrategy.JsonPatch, [{ op: 'add', path: '/data/c', value: '5' }])).data, { b: '4', c: '5' });
      assert.deepEqual((await patch(PatchStrategy.StrategicMergePatch, { data: { d: '6' } })).data, { b: '4', c: '5', d: '6' });
      await core.deleteNamespacedConfigMap(at);
      assert.equal((await refusal(core.readNamespacedConfigMap(at))).code, 404);
    });

    test('lists choose by label and field, and come in pages', async () => {
      const { core } = cluster();
      for (const name of ['page-1', 'page-2', 'page-3'])
        await core.createNamespacedConfigMap({ namespace: space, body: { metadata: { name, labels: { set: 'pages' } } } });
      const one = await core.listNamespacedConfigMap({ namespace: space, labelSelector: 'set=pages', limit: 2 });
      assert.equal(one.items.length, 2);
      const rest = await core.listNamespacedConfigMap({
        namespace: space,
        labelSelector: 'set=pages',
        limit: 2,
        _continue: one.metadata?._continue ?? '',
      });
      assert.deepEqual(
        [...one.items, ...rest.items].map((c) => c.metadata?.name),
        ['page-1', 'page-2', 'page-3'],
      );
      const byName = await core.listNamespacedConfigMap({ namespace: space, fieldSelector: 'metadata.name=page-2' });
      assert.deepEqual(
        byName.items.map((c) => c.metadata?.name),
        ['page-2'],
      );
      await core.deleteCollectionNamespacedConfigMap({ namespace: space, labelSelector: 'set in (pages)' });
      assert.deepEqual((await core.listNamespacedConfigMap({ namespace: space, labelSelector: 'set=pages' })).items, []);
    });

    test('generateName gives each its own name', async () => {
      const body = { metadata: { generateName: 'drawn-' } };
      const names = await Promise.all(
        [1, 2, 3].map(async () => (await cluster().core.createNamespacedConfigMap({ namespace: space, body })).metadata?.name),
      );
      assert.equal(new Set(names).size, 3);
      for (const name of names) assert.match(name ?? '', /^drawn-[a-z0-9]{5}$/);
    });

    test('a watch tells of every change from a resourceVersion on, and 410 when that is too old', async () => {
      const { core } = cluster();
      const { metadata } = await core.listNamespacedConfigMap({ namespace: space });
      const seen: string[] = [];
      const path = `/api/v1/namespaces/${space}/configmaps`;
      const follow = (
        query: Record<string, string>,
        see: (phase: string, object: V1ConfigMap & { code?: number }) => void,
      ): Promise<AbortController> => new Watch(cluster().config).watch(path, query, see, () => {});
      const controller = await follow(
        { resourceVersion: metadata?.resourceVersion ?? '', fieldSelector: 'metadata.name=watched' },
        (phase, object) => seen.push(`${phase} ${object.data?.n ?? ''}`),
      );
      await core.createNamespacedConfigMap({ namespace: space, body: configMap('watched', { n: '1' }) });
      await core.patchNamespacedConfigMap(
        { name: 'watched', namespace: space, body: { data: { n: '2' } } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
      await core.deleteNamespacedConfigMap({ name: 'watched', namespace: space });
      await eventually('three events', () => assert.deepEqual(seen, ['ADDED 1', 'MODIFIED 2', 'DELETED 2']));
      controller.abort();
      const errors: (number | undefined)[] = [];
      const old = await follow({ resourceVersion: '1' }, (phase, object) => errors.push(phase === 'ERROR' ? object.code : undefined));
      await eventually('an answer about the past', () => assert.ok(errors.length > 0));
      old.abort();
      assert.ok(errors[0] === 410 || errors[0] === undefined, 'either the past is kept or it is 410');
    });

    test('an informer of the client library keeps up', async () => {
      const { core, config } = cluster();
      const list = (): ReturnType<typeof core.listNamespacedConfigMap> =>
        core.listNamespacedConfigMap({ namespace: space, labelSelector: 'set=informed' });
      const informer = makeInformer(config, `/api/v1/namespaces/${space}/configmaps`, list, 'set=informed');
      const seen: string[] = [];
      informer.on('add', (c) => seen.push(`add ${c.metadata?.name}`));
      informer.on('update', (c) => seen.push(`update ${c.metadata?.name}`));
      informer.on('delete', (c) => seen.push(`delete ${c.metadata?.name}`));
      await informer.start();
      const body = { metadata: { name: 'informed', labels: { set: 'informed' } } };
      await core.createNamespacedConfigMap({ namespace: space, body });
      await core.replaceNamespacedConfigMap({ name: 'informed', namespace: space, body: { ...body, data: { x: 'y' } } });
      await eventually('the update', () => assert.equal(informer.get('informed', space)?.data?.x, 'y'));
      await core.deleteNamespacedConfigMap({ name: 'informed', namespace: space });
      await eventually('all events', () => assert.deepEqual(seen, ['add informed', 'update informed', 'delete informed']));
      await informer.stop();
    });

    test('a pod is refused by default, and allowed by a RoleBinding, with the token it was given', async () => {
      await cluster().apply(boxPod('speaking'), space);
      await cluster().readyPod(space, 'speaking');
      // busybox speaks no TLS that verifies, so the pod's own token is used from here, over the name and address that the pod would use.
      const account = '/var/run/secrets/kubernetes.io/serviceaccount';
      const token = (await cluster().sh(space, 'speaking', `cat ${account}/token`)).trim();
      const ca = await cluster().sh(space, 'speaking', `cat ${account}/ca.crt`);
      assert.equal(
        (await cluster().sh(space, 'speaking', 'echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT')).trim(),
        '10.96.0.1:443',
      );
      const config = new KubeConfig();
      const server = { name: 'lab', server: 'https://10.96.0.1:443', caData: Buffer.from(ca).toString('base64'), skipTLSVerify: false };
      config.loadFromClusterAndUser(server, { name: 'pod', token });
      const core = config.makeApiClient(CoreV1Api);
      const { code, message } = await refusal(core.listNamespacedPod({ namespace: space }));
      assert.equal(code, 403);
      assert.match(
        message,
        new RegExp(`User "system:serviceaccount:${space}:default" cannot list resource "pods" in API group "" in the namespace "${space}"`),
      );
      await cluster().apply(readerRole, space);
      await eventually('the binding to count', () => core.listNamespacedPod({ namespace: space }));
      assert.equal((await refusal(core.listNamespacedPod({ namespace: 'default' }))).code, 403);
      assert.equal((await refusal(core.deleteNamespacedPod({ name: 'speaking', namespace: space }))).code, 403);
      const review = await config.makeApiClient(AuthorizationV1Api).createSelfSubjectAccessReview({
        body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods', namespace: space } } },
      });
      assert.equal(review.status?.allowed, true);
      const who = await config.makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body: {} });
      assert.equal(who.status?.userInfo?.username, `system:serviceaccount:${space}:default`);
      // The token dies with its pod.
      await cluster().core.deleteNamespacedPod({ name: 'speaking', namespace: space });
      await eventually('the token to be refused', async () =>
        assert.equal((await refusal(core.listNamespacedPod({ namespace: space }))).code, 401),
      );
    });

    test('a pod asks kubernetes.default.svc with the token it was given: refused, then allowed', async () => {
      const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: caller }\n';
      const spec = 'serviceAccountName: caller\nvolumes: [{ name: root, hostPath: { path: / } }]';
      const pod = boxPod('calling', { spec, container: 'volumeMounts: [{ name: root, mountPath: /host }]' });
      await cluster().apply(all(account, pod), space);
      await cluster().readyPod(space, 'calling');
      // busybox shares no cipher with OpenSSL, so the curl of the node is borrowed; network, token and authority are the pod's.
      const script = `cd /var/run/secrets/kubernetes.io/serviceaccount
chroot /host curl -sS --max-time 5 --cacert /dev/stdin -H "Authorization: Bearer $(cat token)" \
  https://kubernetes.default.svc/api/v1/namespaces/${space}/pods <ca.crt`;
      const kind = async (): Promise<unknown> => (JSON.parse(await cluster().sh(space, 'calling', script)) as { kind: unknown }).kind;
      assert.equal(await kind(), 'Status');
      const role = readerRole.replaceAll('reader', 'listener').replace('name: default,', 'name: caller,');
      await cluster().apply(role, space);
      await eventually('the binding to count', async () => assert.equal(await kind(), 'PodList'));
    });

    test('without credentials only health and version are told', async () => {
      const { server, caData } = cluster().config.getCurrentCluster() ?? {};
      const ca = Buffer.from(caData ?? '', 'base64').toString();
      for (const path of ['/healthz', '/livez', '/readyz', '/version']) assert.equal(await anonymously(server ?? '', path, ca), 200, path);
      for (const path of ['/api/v1/nodes', '/apis', '/metrics'])
        assert.ok([401, 403].includes(await anonymously(server ?? '', path, ca)), path);
    });

    test('a forged token is refused', async () => {
      const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"system:admin"}').toString('base64url')}.`;
      const core = cluster().withToken(forged).makeApiClient(CoreV1Api);
      assert.equal((await refusal(core.listNode())).code, 401);
    });

    test('a kubelet touches its own node and its own pods only', async () => {
      const config = new KubeConfig();
      config.loadFromString(await readFile(join(cluster().lab.plan.dir, 'nodes/worker-1/etc/kubelet.kubeconfig'), 'utf8'));
      // The files it names are those of the node.
      const etc = join(cluster().lab.plan.dir, 'nodes/worker-1/etc');
      for (const user of config.users) Object.assign(user, renamed(user, etc));
      for (const one of config.clusters) Object.assign(one, renamed(one, etc));
      const core = config.makeApiClient(CoreV1Api);
      const label = (name: string, key: string): Promise<unknown> =>
        core.patchNode(
          { name, body: { metadata: { labels: { [key]: 'x' } } } },
          setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
        );
      await label('worker-1', 'example.com/own');
      const other = await refusal(label('worker-2', 'example.com/other'));
      assert.equal(other.code, 403);
      assert.match(other.message, /worker-1/);
      const restricted = await refusal(label('worker-1', 'node-restriction.kubernetes.io/secure'));
      assert.equal(restricted.code, 403);
      await cluster().core.createNamespacedSecret({ namespace: space, body: { metadata: { name: 'not-yours' }, stringData: { a: 'b' } } });
      assert.equal((await refusal(core.readNamespacedSecret({ name: 'not-yours', namespace: space }))).code, 403);
      assert.equal((await refusal(core.deleteNode({ name: 'worker-2' }))).code, 403);
      const pod = {
        metadata: { name: 'smuggled' },
        spec: { nodeName: 'worker-1', containers: [{ name: 'c', image: 'fairlead.local/box:1' }] },
      };
      assert.equal((await refusal(core.createNamespacedPod({ namespace: space, body: pod }))).code, 403);
    });

    test('the kubeconfig and every key are readable by their owner only', async () => {
      const { plan } = cluster().lab;
      const { stat, readdir } = await import('node:fs/promises');
      const secrets = [
        plan.kubeconfig,
        ...(await readdir(plan.pkiDir)).filter((f) => /\.(key|conf)$/.test(f)).map((f) => join(plan.pkiDir, f)),
      ];
      for (const file of secrets) assert.equal(((await stat(file)).mode & 0o777).toString(8), '600', file);
    });
  });
}

/** Fields of a kubeconfig's entry that name files, in the directory given. */
function renamed(entry: object, directory: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entry).map(([key, value]) => [
      key,
      typeof value === 'string' ? value.replace(/^\/etc\/fairlead(?=\/)/, directory) : value,
    ]),
  );
}
