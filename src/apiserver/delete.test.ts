import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from './testing/test-server.ts';

const pods = '/api/v1/namespaces/default/pods';
const sets = '/apis/apps/v1/namespaces/default/replicasets';
const merge = { type: 'application/merge-patch+json' };
const podSpec = { containers: [{ name: 'c', image: 'i' }] };
const setSpec = { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: podSpec } };

describe('delete', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  test('removes a pod without a node at once', async () => {
    await s.call('POST', pods, { metadata: { name: 'free' }, spec: podSpec });
    const reply = await s.call('DELETE', `${pods}/free`);
    assert.equal(reply.status, 200);
    assert.equal((await s.call('GET', `${pods}/free`)).status, 404);
  });

  test('gives what it removed back where upstream does, and else a Status', async () => {
    const answers: unknown[] = [];
    for (const [path, object] of [
      ['/api/v1/namespaces/default/services', { spec: { ports: [{ port: 80 }] } }],
      ['/apis/storage.k8s.io/v1/storageclasses', { provisioner: 'example.com/p' }],
      ['/api/v1/namespaces/default/configmaps', {}],
    ] as const) {
      await s.call('POST', path, { ...object, metadata: { name: 'gone' } });
      const { status, body } = await s.call('DELETE', `${path}/gone`);
      answers.push([status, body.kind, body.metadata.name ?? body.details.name]);
    }
    assert.deepEqual(answers, [
      [200, 'Service', 'gone'],
      [200, 'StorageClass', 'gone'],
      [200, 'Status', 'gone'],
    ]);
  });

  test('warns who deletes a Job without a word on its pods, which stay then', async () => {
    const jobs = '/apis/batch/v1/namespaces/default/jobs';
    await s.call('POST', jobs, { metadata: { name: 'once' }, spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } });
    const silent = await s.call('DELETE', `${jobs}/once?dryRun=All`);
    assert.match(String(silent.headers.warning), /child pods are preserved by default when jobs are deleted/);
    const said = await s.call('DELETE', `${jobs}/once?dryRun=All&propagationPolicy=Background`);
    assert.deepEqual([said.status, said.headers.warning], [200, undefined]);
  });

  test('marks a pod that runs, lets its end come nearer only, and removes it on the word of the kubelet', async () => {
    await s.call('POST', pods, { metadata: { name: 'runs' }, spec: { ...podSpec, nodeName: 'n1' } });
    const first = await s.call('DELETE', `${pods}/runs`, { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' });
    assert.equal(first.body.kind, 'Pod');
    assert.equal(first.body.metadata.deletionGracePeriodSeconds, 30);
    assert.ok(first.body.metadata.deletionTimestamp);
    const longer = await s.call('DELETE', `${pods}/runs?gracePeriodSeconds=90`);
    assert.equal(longer.body.metadata.deletionGracePeriodSeconds, 30);
    const shorter = await s.call('DELETE', `${pods}/runs?gracePeriodSeconds=5`);
    assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 5);
    assert.ok(shorter.body.metadata.deletionTimestamp < first.body.metadata.deletionTimestamp);
    await s.call('DELETE', `${pods}/runs?gracePeriodSeconds=0`);
    assert.equal((await s.call('GET', `${pods}/runs`)).status, 404);
  });

  test('waits for finalizers', async () => {
    await s.call('POST', sets, { metadata: { name: 'held', finalizers: ['example.com/hold'] }, spec: setSpec });
    const marked = await s.call('DELETE', `${sets}/held`);
    assert.ok(marked.body.metadata.deletionTimestamp);
    assert.equal(marked.body.metadata.generation, 2);
    const added = await s.call('PATCH', `${sets}/held`, { metadata: { finalizers: ['example.com/hold', 'example.com/new'] } }, merge);
    assert.equal(added.status, 422);
    assert.match(added.body.message, /no new finalizers can be added/);
    const freed = await s.call('PATCH', `${sets}/held`, { metadata: { finalizers: null } }, merge);
    assert.equal(freed.status, 200);
    assert.equal((await s.call('GET', `${sets}/held`)).status, 404);
  });

  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ]) {
    test(`leaves the dependents of ${policy} to the garbage collector`, async () => {
      const name = policy!.toLowerCase();
      await s.call('POST', sets, { metadata: { name }, spec: setSpec });
      const { body } = await s.call('DELETE', `${sets}/${name}`, { propagationPolicy: policy });
      assert.deepEqual(body.metadata.finalizers, [finalizer]);
      assert.ok(body.metadata.deletionTimestamp);
    });
  }

  test('asks for the uid and revision that the client means', async () => {
    const { body } = await s.call('POST', sets, { metadata: { name: 'meant' }, spec: setSpec });
    const wrong = await s.call('DELETE', `${sets}/meant`, { preconditions: { uid: 'other' } });
    assert.equal(wrong.status, 409);
    assert.match(wrong.body.message, /the UID in the precondition \(other\) does not match/);
    const right = await s.call('DELETE', `${sets}/meant`, {
      preconditions: { uid: body.metadata.uid, resourceVersion: body.metadata.resourceVersion },
    });
    assert.equal(right.status, 200);
  });

  test('empties a collection by selector', async () => {
    const maps = '/api/v1/namespaces/default/configmaps';
    for (const name of ['c1', 'c2', 'other']) await s.call('POST', maps, { metadata: { name, labels: { set: name[0] } } });
    assert.equal((await s.call('DELETE', `${maps}?labelSelector=set%3Dc`)).status, 200);
    const left = await s.call('GET', `${maps}?labelSelector=set`);
    assert.deepEqual(
      left.body.items.map((o: { metadata: { name: string } }) => o.metadata.name),
      ['other'],
    );
  });

  test('keeps an ending namespace closed, and ends it when it is finalized', async () => {
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'ending' } });
    const marked = await s.call('DELETE', '/api/v1/namespaces/ending');
    assert.equal(marked.body.status.phase, 'Terminating');
    const refused = await s.call('POST', '/api/v1/namespaces/ending/configmaps', { metadata: { name: 'x' } });
    assert.equal(refused.status, 403);
    assert.match(refused.body.message, /unable to create new content in namespace ending because it is being terminated/);
    assert.equal(refused.body.details.causes[0].reason, 'NamespaceTerminating');
    const finalized = await s.call('PUT', '/api/v1/namespaces/ending/finalize', { ...marked.body, spec: { finalizers: [] } });
    assert.equal(finalized.status, 200, finalized.text);
    assert.equal((await s.call('GET', '/api/v1/namespaces/ending')).status, 404);
  });

  test('never deletes the namespaces of the system', async () => {
    const { status, body } = await s.call('DELETE', '/api/v1/namespaces/kube-system');
    assert.equal(status, 403);
    assert.match(body.message, /this namespace may not be deleted/);
  });
});
