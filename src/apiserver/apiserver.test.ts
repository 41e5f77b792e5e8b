import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { newRequest } from '../x509/new-request.ts';
import { type Json, TestServer } from './testing/test-server.ts';

const configMap = (name: string, more: object = {}): Json => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more });
const maps = '/api/v1/namespaces/default/configmaps';

describe('the API server', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  test('has the namespaces of the system and default/kubernetes when it starts', async () => {
    const { body } = await s.call('GET', '/api/v1/namespaces');
    assert.deepEqual(
      body.items.map((n: Json) => n.metadata.name),
      ['default', 'kube-node-lease', 'kube-public', 'kube-system'],
    );
    const service = await s.call('GET', '/api/v1/namespaces/default/services/kubernetes');
    assert.equal(service.body.spec.clusterIP, '10.96.0.1');
    const slice = await s.call('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes');
    assert.deepEqual(slice.body.endpoints[0].addresses, ['192.0.2.1']);
    assert.equal(slice.body.ports[0].port, s.server.address.port);
  });

  test('creates, reads, updates and deletes an object', async () => {
    const created = await s.call('POST', maps, configMap('crud', { data: { a: '1' } }));
    assert.equal(created.status, 201);
    assert.match(created.body.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.match(created.body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const read = await s.call('GET', `${maps}/crud`);
    assert.deepEqual(read.body, created.body);
    const updated = await s.call('PUT', `${maps}/crud`, { ...read.body, data: { a: '2' } });
    assert.equal(updated.status, 200);
    assert.ok(Number(updated.body.metadata.resourceVersion) > Number(read.body.metadata.resourceVersion));
    const stale = await s.call('PUT', `${maps}/crud`, { ...read.body, data: { a: '3' } });
    assert.equal(stale.status, 409);
    assert.equal(stale.body.reason, 'Conflict');
    assert.equal(
      stale.body.message,
      'Operation cannot be fulfilled on configmaps "crud": the object has been modified; please apply your changes to the latest version and try again',
    );
    const deleted = await s.call('DELETE', `${maps}/crud`);
    assert.equal(deleted.body.status, 'Success');
    assert.equal(deleted.body.details.uid, created.body.metadata.uid);
    const gone = await s.call('GET', `${maps}/crud`);
    assert.equal(gone.status, 404);
    assert.equal(gone.body.message, 'configmaps "crud" not found');
  });

  test('answers for the checks that there are, and for no other', async () => {
    const codes = ['/healthz', '/livez/', '/readyz/etcd', '/livez/poststarthook/rbac/bootstrap-roles', '/livez/nothing'].map(
      async (path) => (await s.call('GET', path)).status,
    );
    assert.deepEqual(await Promise.all(codes), [200, 200, 200, 200, 404]);
  });

  test('changes no object by a request that takes its name away', async () => {
    const path = '/api/v1/namespaces/default/configmaps/nameless';
    await s.call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'nameless' } });
    const patched = await s.call('PATCH', path, { metadata: null }, { type: 'application/merge-patch+json' });
    const put = await s.call('PUT', path, { metadata: {} });
    for (const { status, body } of [patched, put])
      assert.deepEqual(
        [status, body.message],
        [400, 'the name of the object (nameless based on URL) was undeterminable: name must be provided'],
      );
    await s.call('DELETE', path);
  });

  test('writes nothing for an update that changes nothing', async () => {
    const { body } = await s.call('POST', maps, configMap('same', { data: { a: '1', b: '2' } }));
    const again = await s.call('PUT', `${maps}/same`, { ...body, data: { b: '2', a: '1' } });
    assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
  });

  test('makes names up for generateName', async () => {
    const replies = await Promise.all([1, 2, 3].map(() => s.call('POST', maps, { metadata: { generateName: 'gen-' } })));
    const names = new Set(replies.map((r) => r.body.metadata.name));
    assert.equal(names.size, 3);
    for (const name of names) assert.match(name, /^gen-[a-z0-9]{5}$/);
  });

  test('stores nothing for a dry run', async () => {
    const created = await s.call('POST', `${maps}?dryRun=All`, configMap('dry'));
    assert.equal(created.status, 201);
    assert.equal((await s.call('GET', `${maps}/dry`)).status, 404);
    await s.call('POST', maps, configMap('dry'));
    assert.equal((await s.call('POST', `${maps}?dryRun=All`, configMap('dry'))).status, 409);
    assert.equal((await s.call('DELETE', `${maps}/dry?dryRun=All`)).status, 200);
    assert.equal((await s.call('GET', `${maps}/dry`)).status, 200);
  });

  test('patches in three dialects, and retries what collides', async () => {
    await s.call('POST', maps, configMap('patched', { data: { n: '0' } }));
    const merge = 'application/merge-patch+json';
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, i) => s.call('PATCH', `${maps}/patched`, { data: { [`k${i}`]: 'x' } }, { type: merge })),
    );
    assert.deepEqual([...new Set(many.map((r) => r.status))], [200]);
    const { body } = await s.call('GET', `${maps}/patched`);
    assert.equal(Object.keys(body.data).length, 21);
    const json = await s.call('PATCH', `${maps}/patched`, [{ op: 'replace', path: '/data', value: { a: '1' } }], {
      type: 'application/json-patch+json',
    });
    assert.deepEqual(json.body.data, { a: '1' });
    const strategic = await s.call(
      'PATCH',
      `${maps}/patched`,
      { metadata: { labels: { x: 'y' } } },
      { type: 'application/strategic-merge-patch+json' },
    );
    assert.deepEqual(strategic.body.metadata.labels, { x: 'y' });
  });

  test('lists in pages that show one moment, whatever happens meanwhile', async () => {
    for (let i = 0; i < 5; i++)
      await s.call('POST', maps, configMap(`page-${i}`, { metadata: { name: `page-${i}`, labels: { set: 'page' } } }));
    const query = 'labelSelector=set%3Dpage&limit=2';
    const first = await s.call('GET', `${maps}?${query}`);
    assert.equal(first.body.items.length, 2);
    await s.call('DELETE', `${maps}/page-3`);
    await s.call('POST', maps, configMap('page-9', { metadata: { name: 'page-9', labels: { set: 'page' } } }));
    const names: string[] = first.body.items.map((o: Json) => o.metadata.name);
    let token = first.body.metadata.continue;
    while (token) {
      const { body } = await s.call('GET', `${maps}?${query}&continue=${encodeURIComponent(token)}`);
      assert.equal(body.metadata.resourceVersion, first.body.metadata.resourceVersion);
      names.push(...body.items.map((o: Json) => o.metadata.name));
      token = body.metadata.continue;
    }
    assert.deepEqual(names, ['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
    const exact = await s.call(
      'GET',
      `${maps}?labelSelector=set%3Dpage&resourceVersionMatch=Exact&resourceVersion=${first.body.metadata.resourceVersion}`,
    );
    assert.equal(exact.body.items.length, 5);
  });

  test('refuses a resourceVersion of the future', async () => {
    const { status, headers, body } = await s.call('GET', `${maps}?resourceVersion=999999999`);
    // With Retry-After a client of Go would ask ten times more before it lists anew.
    assert.deepEqual([status, headers['retry-after']], [504, undefined]);
    assert.equal(body.details.causes[0].reason, 'ResourceVersionTooLarge');
  });

  test('shows Tables and metadata to those who ask', async () => {
    await s.call('POST', maps, configMap('table', { data: { a: '1' } }));
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = await s.call('GET', `${maps}/table`, undefined, { headers: { accept } });
    assert.equal(table.body.kind, 'Table');
    assert.deepEqual(table.body.rows[0].cells.slice(0, 2), ['table', 1]);
    assert.equal(table.body.rows[0].object.kind, 'PartialObjectMetadata');
    const partial = await s.call('GET', maps, undefined, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
    });
    assert.equal(partial.body.kind, 'PartialObjectMetadataList');
    assert.equal(partial.body.items.at(-1).data, undefined);
  });

  test('says what it warns of with a refusal, too', async () => {
    const endpoints = '/api/v1/namespaces/default/endpoints';
    const { status, headers } = await s.call('PUT', `${endpoints}/a`, { metadata: { name: 'b' } });
    assert.equal(status, 400);
    assert.match(String(headers.warning), /v1 Endpoints is deprecated/);
  });

  test('selects by labels and fields, and refuses fields that cannot be selected', async () => {
    await s.call('POST', maps, configMap('chosen'));
    const { body } = await s.call('GET', `${maps}?fieldSelector=metadata.name%3Dchosen`);
    assert.equal(body.items.length, 1);
    const wrong = await s.call('GET', `${maps}?fieldSelector=data.a%3D1`);
    assert.equal(wrong.status, 400);
    assert.match(wrong.body.message, /^"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"$/);
  });

  test('shows events of either group in both', async () => {
    const event = {
      metadata: { name: 'e1' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reason: 'Started',
      message: 'hello',
      type: 'Normal',
    };
    assert.equal((await s.call('POST', '/api/v1/namespaces/default/events', event)).status, 201);
    const { body } = await s.call('GET', '/apis/events.k8s.io/v1/namespaces/default/events/e1');
    assert.equal(body.apiVersion, 'events.k8s.io/v1');
    assert.equal(body.note, 'hello');
    const selected = await s.call('GET', '/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp');
    assert.equal(selected.body.items[0].regarding.name, 'p');
  });

  test('takes an approval with its annotations, and notes when it came', async () => {
    const csrs = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
    const spec = {
      request: Buffer.from(newRequest({ commonName: 'a', organizations: [] }).requestPem).toString('base64'),
      signerName: 'example.com/signer',
      usages: ['client auth'],
    };
    assert.equal((await s.call('POST', csrs, { metadata: { name: 'one' }, spec })).status, 201);
    const conditions = [{ type: 'Approved', status: 'True', reason: 'Test' }];
    const approval = { metadata: { annotations: { by: 'me' } }, spec: { signerName: 'example.com/other' }, status: { conditions } };
    const { body } = await s.call('PATCH', `${csrs}/one/approval`, approval, { type: 'application/merge-patch+json' });
    assert.equal(body.metadata.annotations.by, 'me');
    assert.equal(body.spec.signerName, 'example.com/signer');
    assert.equal(body.status.conditions[0].lastUpdateTime, body.status.conditions[0].lastTransitionTime);
    assert.match(body.status.conditions[0].lastUpdateTime, /Z$/);
  });

  test('lets nobody decide over a certificate who may only sign it, nor sign it twice', async () => {
    const csr = '/apis/certificates.k8s.io/v1/certificatesigningrequests/one';
    const merge = { type: 'application/merge-patch+json' };
    const { conditions } = (await s.call('GET', csr)).body.status;
    const signed = await s.call('PATCH', `${csr}/status`, { status: { certificate: Buffer.from(s.pki.ca).toString('base64') } }, merge);
    assert.deepEqual([signed.status, signed.body.status.conditions], [200, conditions]);
    const [approved] = conditions;
    for (const [subresource, status, message] of [
      ['status', { conditions: [{ ...approved, reason: 'Mine' }] }, /updates may not modify a condition of type "Approved"/],
      ['status', { conditions: [approved, { type: 'Denied', status: 'True' }] }, /updates may not add a condition of type "Denied"/],
      ['status', { certificate: 'BBBB' }, /updates may not modify existing certificate content/],
      ['approval', { conditions: [] }, /updates may not remove a condition of type "Approved"/],
      ['approval', { conditions: [approved, { type: 'Denied', status: 'True' }] }, /Approved and Denied conditions are mutually exclusive/],
      ['approval', { conditions: [{ ...approved, status: 'False' }] }, /status: Unsupported value: "False": supported values: "True"/],
    ] as const) {
      const reply = await s.call('PATCH', `${csr}/${subresource}`, { status }, merge);
      assert.equal(reply.status, 422);
      assert.match(reply.body.message, message);
    }
  });

  test('has no Table of what is only answered', async () => {
    const review = { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } };
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    for (const [accept, status] of [
      [table, 406],
      [`${table},application/json`, 201],
    ] as const) {
      const options = { headers: { accept } };
      assert.equal((await s.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review, options)).status, status);
    }
  });
});
