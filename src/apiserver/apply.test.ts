/** Server-side apply over HTTP: what a request must say, what it creates and changes, and who may do it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, type Reply, TestServer } from './testing/test-server.ts';

const type = 'application/apply-patch+yaml';
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';

const map = (name: string, data?: object, metadata: object = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  ...(data ? { data } : {}),
});
const deployment = (name: string, spec: object = {}): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
});
const owners = (object: Json): string[] =>
  (object.metadata.managedFields ?? []).map((e: Json) => [e.manager, e.operation, e.subresource].filter(Boolean).join(' '));

describe('server-side apply', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  const apply = (path: string, body: object | string, query = 'fieldManager=one'): Promise<Reply> =>
    s.call('PATCH', `${path}?${query}`, body, { type });

  test('creates what is not there, and changes what is', async () => {
    const created = await apply(`${maps}/a`, map('a', { x: '1', y: '2' }));
    assert.equal(created.status, 201);
    const [entry] = created.body.metadata.managedFields;
    assert.match(entry.time, /^\d{4}-.*Z$/);
    assert.deepEqual(entry, {
      manager: 'one',
      operation: 'Apply',
      apiVersion: 'v1',
      time: entry.time,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { 'f:x': {}, 'f:y': {} } },
    });
    const changed = await apply(`${maps}/a`, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: "3"}\n');
    assert.equal(changed.status, 200);
    assert.deepEqual(changed.body.data, { x: '3' });
  });

  test('writes nothing when it is repeated', async () => {
    const first = await apply(`${deployments}/same`, deployment('same', { strategy: {}, replicas: 2 }));
    const again = await apply(`${deployments}/same`, deployment('same', { strategy: {}, replicas: 2 }));
    assert.equal(again.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    assert.equal(again.body.metadata.generation, 1);
  });

  test('answers a conflict with its causes', async () => {
    await apply(`${maps}/conflict`, map('conflict', { x: '1' }));
    await s.call(
      'PATCH',
      `${maps}/conflict`,
      { data: { y: '1' } },
      { type: 'application/merge-patch+json', headers: { 'user-agent': 'ctl/v1' } },
    );
    const { status, body } = await apply(`${maps}/conflict`, map('conflict', { x: '2', y: '2' }), 'fieldManager=two');
    assert.equal(status, 409);
    assert.equal(body.reason, 'Conflict');
    assert.equal(
      body.message,
      'Apply failed with 2 conflicts: conflicts with "ctl" using v1:\n- .data.y\nconflicts with "one":\n- .data.x',
    );
    assert.deepEqual(body.details.causes, [
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.x' },
      { reason: 'FieldManagerConflict', message: 'conflict with "ctl" using v1', field: '.data.y' },
    ]);
    const forced = await apply(`${maps}/conflict`, map('conflict', { x: '2', y: '2' }), 'fieldManager=two&force=true');
    assert.deepEqual([forced.status, owners(forced.body)], [200, ['two Apply']]);
  });

  const refused: readonly (readonly [what: string, name: string, body: object | string, query: string, status: number, message: RegExp])[] =
    [
      ['no manager', 'r', map('r'), '', 422, /fieldManager: Required value: is required for apply patch/],
      ['a long manager', 'r', map('r'), `fieldManager=${'x'.repeat(129)}`, 422, /fieldManager: Too long/],
      ['a manager that cannot be printed', 'r', map('r'), 'fieldManager=a%0Ab', 422, /invalid character U\+000A \(at position 1\)/],
      [
        'a field that is not declared',
        'r',
        { ...map('r'), foo: 1 },
        'fieldManager=x',
        400,
        /\(\/r; \/v1, Kind=ConfigMap\): \.foo: field not declared in schema/,
      ],
      ['another kind', 'r', { ...map('r'), kind: 'Secret' }, 'fieldManager=x', 400, /^invalid object type: \/v1, Kind=Secret$/],
      ['no kind', 'r', {}, 'fieldManager=x', 400, /^invalid object type: \/, Kind=$/],
      ['what is no YAML', 'r', '{{{', 'fieldManager=x', 400, /^error decoding YAML/],
      ['a list', 'r', '[]', 'fieldManager=x', 400, /^error decoding YAML/],
      ['another name', 'r', map('q'), 'fieldManager=x', 400, /does not match the name on the URL/],
      ['no name', 'r', map(''), 'fieldManager=x', 400, /was undeterminable: name must be provided/],
      ['another namespace', 'r', map('r', {}, { namespace: 'q' }), 'fieldManager=x', 400, /does not match the namespace/],
      ['a uid of what is not there', 'r', map('r', {}, { uid: 'u' }), 'fieldManager=x', 409, /uid mismatch/],
      ['another uid', 'a', map('a', {}, { uid: 'u' }), 'fieldManager=x', 409, /UID in precondition: u/],
      ['an old resourceVersion', 'a', map('a', { z: '1' }, { resourceVersion: '1' }), 'fieldManager=x', 409, /has been modified/],
      ['managers', 'r', map('r', {}, { managedFields: [] }), 'fieldManager=x', 400, /^metadata.managedFields must be nil$/],
      [
        'keys that stand twice',
        'r',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"r"},"data":{"a":"1","a":"2"}}',
        'fieldManager=x&fieldValidation=Strict',
        400,
        /duplicate field "data.a"/,
      ],
    ];
  for (const [what, name, body, query, status, message] of refused) {
    test(`refuses ${what}`, async () => {
      const answer = await apply(`${maps}/${name}`, body, query);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.body.message, message);
    });
  }

  test('refuses CBOR, and force for any other patch', async () => {
    assert.equal((await s.call('PATCH', `${maps}/a?fieldManager=x`, 'x', { type: 'application/apply-patch+cbor' })).status, 415);
    const forced = await s.call('PATCH', `${maps}/a?force=true`, {}, { type: 'application/merge-patch+json' });
    assert.match(forced.body.message, /force: Forbidden: may not be specified for non-apply patch/);
  });

  test('stores nothing with dryRun', async () => {
    assert.equal((await apply(`${maps}/dry`, map('dry', { a: 'b' }), 'fieldManager=x&dryRun=All')).status, 201);
    assert.equal((await s.call('GET', `${maps}/dry`)).status, 404);
  });

  test('keeps status and spec apart', async () => {
    await apply(`${deployments}/parts`, { ...deployment('parts', { replicas: 1 }), status: { replicas: 7 } });
    const status = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'parts' },
      spec: { replicas: 9 },
      status: { observedGeneration: 1 },
    };
    const { body } = await apply(`${deployments}/parts/status`, status, 'fieldManager=ctl');
    assert.deepEqual([body.spec.replicas, body.status, body.metadata.generation], [1, { observedGeneration: 1 }, 1]);
    // They stand in the order of their seconds, of which a new one may just have begun.
    assert.deepEqual(owners(body).toSorted(), ['ctl Apply status', 'one Apply']);
    assert.equal((await apply(`${deployments}/nothing/status`, status)).status, 404);
  });

  test('shares replicas with the scale subresource', async () => {
    const path = `${deployments}/scaled`;
    await apply(path, deployment('scaled', { replicas: 1 }));
    await s.call(
      'PATCH',
      `${path}/scale`,
      { spec: { replicas: 3 } },
      { type: 'application/merge-patch+json', headers: { 'user-agent': 'hpa' } },
    );
    const scaled = (await s.call('GET', path)).body;
    assert.deepEqual([scaled.spec.replicas, scaled.metadata.generation], [3, 2]);
    assert.deepEqual(owners(scaled), ['one Apply', 'hpa Update scale']);
    assert.match(
      (await apply(path, deployment('scaled', { replicas: 1 }))).body.message,
      /conflict with "hpa" with subresource "scale" using apps\/v1: \.spec\.replicas$/,
    );
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'scaled' }, spec: { replicas: 5 } };
    assert.equal((await apply(`${path}/scale`, scale, 'fieldManager=two')).status, 409);
    assert.equal((await apply(`${path}/scale`, scale, 'fieldManager=two&force=true')).body.spec.replicas, 5);
    assert.deepEqual(owners((await s.call('GET', path)).body), ['one Apply', 'two Apply scale']);
  });

  test('owns what was there before as before-first-apply', async () => {
    await s.call('POST', maps, map('old', { x: '1' }));
    const { body } = await apply(`${maps}/old`, map('old', { x: '2' }));
    assert.equal(body.message, 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x');
  });

  test('lets two appliers of one new object both have it', async () => {
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((m) => apply(`${maps}/race`, map('race', { [m]: m }), `fieldManager=${m}`)));
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 201]);
    assert.deepEqual((await s.call('GET', `${maps}/race`)).body.data, { a: 'a', b: 'b', c: 'c', d: 'd' });
  });

  test('lets nobody create who may only patch', async () => {
    const rules = [{ apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'leases'], verbs: ['patch', 'update'] }];
    await s.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'patcher' }, rules });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'patcher' };
    const subjects = [{ kind: 'User', name: 'patcher', apiGroup: 'rbac.authorization.k8s.io' }];
    await s.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { metadata: { name: 'patcher' }, roleRef, subjects });
    const agent = s.agent(await s.pki.client('patcher', 'people'));
    const options = { type, agent };
    assert.equal((await s.call('PATCH', `${maps}/a?fieldManager=p`, map('a'), options)).status, 200);
    const { status, body } = await s.call('PATCH', `${maps}/new?fieldManager=p`, map('new'), options);
    assert.equal(status, 403);
    assert.match(body.message, /User "patcher" cannot create resource "configmaps"/);
    const put = await s.call(
      'PUT',
      '/apis/coordination.k8s.io/v1/namespaces/default/leases/new',
      { metadata: { name: 'new' }, spec: {} },
      { agent },
    );
    assert.equal(put.status, 403);
  });

  test('takes managers that clients send, and forgets them when told', async () => {
    const fieldsV1 = { 'f:data': { 'f:x': {} } };
    const managedFields = [{ manager: 'import', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 }];
    const made = await s.call('POST', `${maps}?fieldManager=maker`, map('sent', { x: '1', y: '2' }, { managedFields }));
    // Whoever creates an object writes every field of it, whatever it says.
    assert.deepEqual(owners(made.body), ['maker Update']);
    const patch = (managed: Json): Promise<Reply> =>
      s.call('PATCH', `${maps}/sent`, { metadata: { managedFields: managed } }, { type: 'application/merge-patch+json' });
    assert.deepEqual(owners((await patch(managedFields)).body), ['import Apply']);
    const long = await patch([{ ...managedFields[0], manager: 'x'.repeat(200) }]);
    assert.match(long.body.message, /metadata.managedFields\[0\].manager: Too long/);
    assert.deepEqual(owners((await patch([{}])).body), []);
  });

  test('survives managers that nest deeply, or make an object too large', async () => {
    await apply(`${maps}/hostile`, map('hostile', { x: '1' }));
    const entry = (fields: string): string =>
      `{"metadata":{"managedFields":[{"manager":"h","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":${fields}}]}}`;
    const patch = (body: string): Promise<Reply> => s.call('PATCH', `${maps}/hostile`, body, { type: 'application/merge-patch+json' });
    for (const depth of [300, 100_000]) {
      const answer = await patch(entry(`${'{"f:a":'.repeat(depth)}{}${'}'.repeat(depth)}`));
      assert.ok(answer.status < 500, answer.text);
      assert.deepEqual(owners((await s.call('GET', `${maps}/hostile`)).body), ['one Apply']);
    }
    const wide = Array.from({ length: 30_000 }, (_, i) => `"f:${'x'.repeat(60)}${i}":{}`).join(',');
    const answer = await patch(entry(`{${wide}}`));
    assert.deepEqual([answer.status, owners(answer.body)], [200, []]);
  });
});
