import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeProtobuf } from '../../api/codec/protobuf.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { AdmissionPlugin } from '../admission/admission.ts';
import { isStatusError } from '../status/status-error.ts';
import { ResourceBed } from './testing/resource-bed.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const map = (name: string, data: object = {}): object => ({ metadata: { name }, data });
const merge = { 'content-type': 'application/merge-patch+json' };
const refused = (reason: string, why: RegExp) => (err: unknown) => isStatusError(err, reason) && why.test(err.message);
const names = (body: { items: KubeObject[] }): string[] => body.items.map(({ metadata }) => metadata.name);
const data = async (bed: ResourceBed, name = 'a'): Promise<unknown> =>
  ((await bed.stored('configmaps', name)) as { data?: object } | undefined)?.data;

describe('GET', () => {
  test('shows the bytes that are stored, as new as the last write', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    const { res } = await bed.call('GET', `${maps}/a`);
    assert.deepEqual([res.statusCode, res.text], [200, bed.feed.cache('configmaps').range()[0]?.bytes.toString().concat('\n')]);
    await assert.rejects(bed.call('GET', `${maps}/no`), refused('NotFound', /^configmaps "no" not found$/));
  });

  test('waits for the revision that is asked for', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    assert.equal((await bed.call('GET', `${maps}/a?resourceVersion=1`)).res.statusCode, 200);
    assert.equal((await bed.call('GET', `${maps}/a?resourceVersion=`)).res.statusCode, 200);
    await assert.rejects(bed.call('GET', `${maps}/a?resourceVersion=9`), refused('Timeout', /Too large resource version: 9/));
    await assert.rejects(bed.call('GET', `${maps}/a?resourceVersion=x`), refused('BadRequest', /resourceVersion/));
  });

  test('lists, with where to go on', async () => {
    await using bed = await ResourceBed.start();
    for (const name of ['a', 'b', 'c']) await bed.map(name);
    const { body } = (await bed.call('GET', `${maps}?limit=2`)).res;
    const { continue: token, ...meta } = body.metadata;
    assert.deepEqual([body.kind, names(body), meta], ['ConfigMapList', ['a', 'b'], { resourceVersion: '3', remainingItemCount: 1 }]);
    const rest = (await bed.call('GET', `${maps}?limit=2&continue=${token}`)).res.body;
    assert.deepEqual([names(rest), rest.metadata], [['c'], { resourceVersion: '3' }]);
    assert.deepEqual(names((await bed.call('GET', '/api/v1/configmaps')).res.body), ['a', 'b', 'c']);
    assert.deepEqual(names((await bed.call('GET', '/api/v1/namespaces/shop/configmaps')).res.body), []);
  });
});

describe('what a client accepts', () => {
  const protobuf = 'application/vnd.kubernetes.protobuf';
  const about = (kind: string): string => `;as=${kind};g=meta.k8s.io;v=v1`;
  for (const [accept, one, list] of [
    [undefined, 'v1 ConfigMap', 'v1 ConfigMapList'],
    [protobuf, 'v1 ConfigMap', 'v1 ConfigMapList'],
    [
      `application/json${about('PartialObjectMetadata')}`,
      'meta.k8s.io/v1 PartialObjectMetadata',
      'meta.k8s.io/v1 PartialObjectMetadataList',
    ],
    [`${protobuf}${about('PartialObjectMetadata')}`, 'meta.k8s.io/v1 PartialObjectMetadata', 'meta.k8s.io/v1 PartialObjectMetadataList'],
    [`application/json${about('Table')}`, 'meta.k8s.io/v1 Table', 'meta.k8s.io/v1 Table'],
  ] as const)
    test(`is what it gets: ${accept ?? 'nothing said'}`, async () => {
      await using bed = await ResourceBed.start();
      await bed.map('a');
      for (const [path, expected] of [
        [`${maps}/a`, one],
        [maps, list],
      ] as const) {
        const { res } = await bed.call('GET', path, { headers: accept === undefined ? {} : { accept } });
        const isProtobuf = accept?.startsWith(protobuf) === true;
        assert.equal(res.headers['content-type'], isProtobuf ? protobuf : 'application/json');
        const { apiVersion, kind } = isProtobuf ? decodeProtobuf(res.bytes) : res.body;
        assert.equal(`${apiVersion} ${kind}`, expected);
      }
    });

  test('includes of an object in a Table what it asks for', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    const headers = { accept: `application/json${about('Table')}` };
    for (const [query, kind] of [
      ['', 'PartialObjectMetadata'],
      ['?includeObject=Object', 'ConfigMap'],
      ['?includeObject=', 'PartialObjectMetadata'],
      ['?includeObject=None', undefined],
    ] as const)
      assert.equal((await bed.call('GET', maps + query, { headers })).res.body.rows[0].object?.kind, kind);
  });

  test('is refused where there is nothing of it', async () => {
    await using bed = await ResourceBed.start();
    await assert.rejects(bed.call('GET', maps, { headers: { accept: 'text/html' } }), refused('NotAcceptable', /./));
  });
});

describe('POST', () => {
  test('makes an object', async () => {
    await using bed = await ResourceBed.start();
    const { res } = await bed.call('POST', maps, { body: map('a', { x: '1' }) });
    assert.deepEqual([res.statusCode, res.body.metadata.name, await data(bed)], [201, 'a', { x: '1' }]);
  });

  test('warns of fields that there are not, or refuses them', async () => {
    await using bed = await ResourceBed.start();
    const body = { ...map('a'), size: 1 };
    const { ctx, res } = await bed.call('POST', maps, { body });
    assert.deepEqual([ctx.warnings, res.headers.warning], [['unknown field "size"'], ['299 - "unknown field \\"size\\""']]);
    await assert.rejects(bed.call('POST', `${maps}?fieldValidation=Strict`, { body }), refused('BadRequest', /unknown field "size"/));
  });

  test('is refused on a name, and without a namespace', async () => {
    await using bed = await ResourceBed.start();
    await assert.rejects(bed.handlers.create((await bed.call('GET', maps)).ctx, bed.row('configmaps')), refused('BadRequest', /./));
    await assert.rejects(bed.call('POST', `${maps}/a`, { body: map('a') }), refused('MethodNotAllowed', /./));
    await assert.rejects(bed.call('POST', '/api/v1/configmaps', { body: map('a') }), refused('MethodNotAllowed', /./));
  });
});

describe('PUT', () => {
  test('replaces an object', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a', { data: { x: '1' } });
    const { res } = await bed.call('PUT', `${maps}/a`, { body: map('a', { y: '2' }) });
    assert.deepEqual([res.statusCode, await data(bed)], [200, { y: '2' }]);
    await assert.rejects(bed.call('PUT', `${maps}/no`, { body: map('no') }), refused('NotFound', /./));
  });

  test('is made anew for every try', async () => {
    let tries = 0;
    const rival: AdmissionPlugin = {
      async mutate({ operation, object }) {
        if (operation !== 'UPDATE' || ++tries > 1) return;
        object!.metadata.labels = { left: 'over' };
        const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', uid: 'u' } };
        await bed.store.put('/registry/configmaps/default/a', Buffer.from(JSON.stringify(other)));
      },
    };
    await using bed = await ResourceBed.start({ plugins: [rival] });
    await bed.map('a');
    await bed.feed.fresh();
    const { res } = await bed.call('PUT', `${maps}/a`, { body: map('a', { y: '2' }) });
    assert.deepEqual([tries, res.body.metadata.labels], [2, undefined]);
  });

  test('makes what is not there, where its kind has that and its user may', async () => {
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    const body = { metadata: { name: 'l', resourceVersion: '7' }, spec: { holderIdentity: 'me' } };
    await using bed = await ResourceBed.start();
    assert.equal((await bed.call('PUT', `${leases}/l`, { body })).res.statusCode, 201);
    await assert.rejects(bed.call('PUT', `${leases}/m`, { body: { spec: {} } }), refused('BadRequest', /name must be provided/));
    await assert.rejects(bed.call('PUT', `${leases}/m`, { body }), refused('BadRequest', /\(l\) does not match the name on the URL \(m\)/));
    const elsewhere = { metadata: { name: 'm', namespace: 'shop' } };
    await assert.rejects(bed.call('PUT', `${leases}/m`, { body: elsewhere }), refused('BadRequest', /namespace of the provided object/));
    await assert.rejects(bed.call('PUT', `${leases}/l`, { body }), refused('Conflict', /has been modified/));
    await using closed = await ResourceBed.start({ mayCreate: false });
    await assert.rejects(closed.call('PUT', `${leases}/l`, { body }), refused('Forbidden', /may not create/));
    assert.equal(await closed.store.revision(), 0);
  });
});

describe('PATCH', () => {
  test('changes an object by what it says', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a', { data: { x: '1' } });
    const { res } = await bed.call('PATCH', `${maps}/a`, { body: { data: { y: '2' } }, headers: merge });
    assert.deepEqual([res.statusCode, await data(bed)], [200, { x: '1', y: '2' }]);
  });

  test('checks what it has made, and warns once however often it is tried', async () => {
    let tries = 0;
    const rival: AdmissionPlugin = {
      async mutate({ operation }) {
        if (operation !== 'UPDATE' || ++tries > 1) return;
        const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', uid: 'u' } };
        await bed.store.put('/registry/configmaps/default/a', Buffer.from(JSON.stringify(other)));
      },
    };
    await using bed = await ResourceBed.start({ plugins: [rival] });
    await bed.map('a');
    await bed.feed.fresh();
    const { ctx } = await bed.call('PATCH', `${maps}/a`, { body: { size: 1, data: { y: '2' } }, headers: merge });
    assert.deepEqual([tries, ctx.warnings], [2, ['unknown field "size"']]);
    const wrong = bed.call('PATCH', `${maps}/a`, { body: { data: { y: 2 } }, headers: merge });
    await assert.rejects(wrong, refused('Invalid', /^ "" is invalid: patch: .*: json: cannot unmarshal number/));
  });

  test('is refused with a force that only an apply has, and where it changes what is no part of it', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    const forced = bed.call('PATCH', `${maps}/a?force=true`, { body: {}, headers: merge });
    await assert.rejects(forced, refused('Invalid', /PatchOptions.* force: Forbidden: may not be specified for non-apply patch/));
    const renamed = bed.call('PATCH', `${maps}/a`, { body: { metadata: { uid: 'other' } }, headers: merge });
    await assert.rejects(renamed, refused('Invalid', /metadata\.uid/));
  });

  test('of a status leaves the rest as it is', async () => {
    await using bed = await ResourceBed.start();
    const pods = '/api/v1/namespaces/default/pods';
    await bed.call('POST', pods, { body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } } });
    const body = { spec: { nodeName: 'n' }, status: { phase: 'Running' } };
    const { body: pod } = (await bed.call('PATCH', `${pods}/p/status`, { body, headers: merge })).res;
    assert.deepEqual([pod.spec.nodeName, pod.status.phase], [undefined, 'Running']);
    const put = (await bed.call('PUT', `${pods}/p/status`, { body: { ...pod, status: { phase: 'Failed' } } })).res;
    assert.equal(put.body.status.phase, 'Failed');
    await assert.rejects(bed.call('PUT', `${pods}/no/status`, { body: { metadata: { name: 'no' } } }), refused('NotFound', /./));
  });
});

describe('DELETE', () => {
  test('says what has gone', async () => {
    await using bed = await ResourceBed.start();
    const { uid } = (await bed.map('a')).metadata;
    const { statusCode, body } = (await bed.call('DELETE', `${maps}/a`)).res;
    assert.deepEqual([statusCode, body.kind, body.status], [200, 'Status', 'Success']);
    assert.deepEqual(body.details, { name: 'a', kind: 'configmaps', uid });
    assert.equal(await bed.stored('configmaps', 'a'), undefined);
  });

  test('names the group of what has gone', async () => {
    await using bed = await ResourceBed.start();
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    await bed.call('POST', leases, { body: { metadata: { name: 'l' }, spec: {} } });
    assert.equal((await bed.call('DELETE', `${leases}/l`)).res.body.details.group, 'coordination.k8s.io');
  });

  test('shows what stays for a while, and a pod as it last was', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a', { metadata: { name: 'a', finalizers: ['x/y'] } });
    assert.ok((await bed.call('DELETE', `${maps}/a`)).res.body.metadata.deletionTimestamp);
    const pods = '/api/v1/namespaces/default/pods';
    await bed.call('POST', pods, { body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } } });
    assert.equal((await bed.call('DELETE', `${pods}/p`)).res.body.kind, 'Pod');
  });

  for (const [how, query, body] of [
    ['the query', '?dryRun=All', undefined],
    ['the body', '', { dryRun: ['All'] }],
  ] as const)
    test(`removes nothing in a dry run of ${how}`, async () => {
      await using bed = await ResourceBed.start();
      await bed.map('a');
      await bed.call('DELETE', `${maps}/a${query}`, { body });
      await bed.call('DELETE', `${maps}${query}`, { body });
      assert.ok(await bed.stored('configmaps', 'a'));
    });

  test('empties a collection, of what is selected, and lists what there was', async () => {
    await using bed = await ResourceBed.start();
    for (const name of ['a', 'b', 'c']) await bed.map(name, { metadata: { name, labels: { kept: String(name === 'c') } } });
    const { body } = (await bed.call('DELETE', `${maps}?labelSelector=kept=false`)).res;
    assert.deepEqual([body.kind, names(body)], ['ConfigMapList', ['a', 'b']]);
    assert.deepEqual(names((await bed.call('GET', maps)).res.body), ['c']);
  });
});

describe('what the server itself reads', () => {
  test('read() is the current object, the caller’s own', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    const row = bed.row('configmaps');
    const mine = await bed.handlers.read(row, 'default', 'a');
    mine.metadata.name = 'changed';
    assert.equal((await bed.handlers.read(row, 'default', 'a')).metadata.name, 'a');
    await assert.rejects(bed.handlers.read(row, 'default', 'no'), refused('NotFound', /configmaps "no"/));
  });

  test('all() are those of a namespace, or of each', async () => {
    await using bed = await ResourceBed.start();
    const row = bed.row('configmaps');
    for (const namespace of ['default', 'shop'])
      await bed.deps.writer.create(
        row,
        namespace,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: namespace } } as KubeObject,
        bed.context(),
      );
    const found = async (namespace: string): Promise<string[]> => (await bed.handlers.all(row.type, namespace)).map((o) => o.metadata.name);
    assert.deepEqual([await found('shop'), await found('')], [['shop'], ['default', 'shop']]);
  });

  test('a resource that was added just now is waited for', async () => {
    await using bed = await ResourceBed.start();
    assert.equal(bed.handlers.loading(bed.row('configmaps')), undefined);
    bed.feed.add('nodes');
    assert.ok(bed.handlers.loading(bed.row('nodes')) instanceof Promise);
    await bed.handlers.loading(bed.row('nodes'));
    assert.equal(bed.handlers.loading(bed.row('selfsubjectreviews', 'authentication.k8s.io')), undefined);
  });
});
