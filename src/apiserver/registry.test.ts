/** Resources that come and go while the server runs: what a kind needs to be served is its row, and nothing that was there before. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { encodeProtobuf, type KindedObject, wrapMessage } from '../api/codec/protobuf.ts';
import { defineRow } from '../api/registry/define-row.ts';
import { Registry } from '../api/registry/registry.ts';
import type { ResourceRow } from '../api/registry/resource-row.ts';
import type { KubeObject } from '../api/resource-types.ts';
import type { OwnSchema } from '../api/schema/schema.ts';
import type { TypeRow } from '../api/schema/tables.ts';
import { MemoryStore } from '../storage/memory/memory-store.ts';
import { prefixEnd } from '../storage/store.ts';
import { TestServer } from './testing/test-server.ts';

interface Widget extends KubeObject {
  spec?: { size?: number; parts?: { name: string; weight?: number }[] };
}

/** A schema with the type of the kind's lists. */
function ownSchema(type: string, types: OwnSchema['types']): OwnSchema {
  const list: TypeRow = {
    kind: true,
    fields: [
      ['metadata', 1, 'meta.v1.ListMeta', ''],
      ['items', 2, `[]${type}`, 'r'],
    ],
  };
  return { type, types: { ...types, [`${type}List`]: list } };
}

const widgetSchema = ownSchema('com.example.v1.Widget', {
  'com.example.v1.Widget': {
    kind: true,
    fields: [
      ['metadata', 1, 'meta.v1.ObjectMeta', ''],
      ['spec', 2, 'com.example.v1.WidgetSpec', ''],
      ['status', 3, 'com.example.v1.WidgetStatus', ''],
    ],
  },
  'com.example.v1.WidgetSpec': {
    fields: [
      ['size', 1, 'int32', ''],
      ['parts', 2, '[]com.example.v1.Part', '', { listType: 'map', listKeys: ['name'] }],
    ],
  },
  'com.example.v1.Part': {
    fields: [
      ['name', 1, 'string', 'r'],
      ['weight', 2, 'int32', ''],
    ],
  },
  'com.example.v1.WidgetStatus': { fields: [['phase', 1, 'string', '']] },
});

const widgets: ResourceRow = defineRow<Widget>({
  type: { group: 'example.com', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true },
  schema: widgetSchema,
  storedAs: 'example.com/widgets',
  shortNames: ['wd'],
  categories: ['all'],
  hasStatus: true,
  validate: ({ spec }) =>
    (spec?.size ?? 0) < 0 ? [{ type: 'FieldValueInvalid', path: 'spec.size', value: spec?.size, detail: 'must not be negative' }] : [],
});

const planets: ResourceRow = defineRow<KubeObject>({
  type: { group: 'example.com', version: 'v1', kind: 'Planet', resource: 'planets', namespaced: false },
  schema: ownSchema('com.example.v1.Planet', {
    'com.example.v1.Planet': {
      kind: true,
      fields: [
        ['metadata', 1, 'meta.v1.ObjectMeta', ''],
        ['mass', 2, 'string', ''],
      ],
    },
  }),
  storedAs: 'example.com/planets',
});

const inDefault = '/apis/example.com/v1/namespaces/default/widgets';
const widget = (name: string, spec: object = {}): object => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec });
const apply = { type: 'application/apply-patch+yaml' };

describe('a resource that is added while the server runs', () => {
  const registry = new Registry();
  const store = new MemoryStore();
  let server: TestServer;
  before(async () => {
    server = await TestServer.start(store, { registry });
  });
  after(() => server.stop());
  const call: TestServer['call'] = (...args) => server.call(...args);
  const groups = async (): Promise<string[]> => (await call('GET', '/apis')).body.groups.map((g: { name: string }) => g.name);

  test('is not there before', async () => {
    assert.equal((await call('GET', inDefault)).status, 404);
    assert.equal((await call('POST', inDefault, widget('early'))).status, 404);
    assert.ok(!(await groups()).includes('example.com'));
    assert.equal((await call('GET', '/openapi/v3/apis/example.com/v1')).status, 404);
  });

  test('is found by every kind of discovery', async () => {
    const index = (await call('GET', '/openapi/v3')).body.paths;
    registry.add(widgets);
    registry.add(planets);
    assert.equal((await groups()).at(-1), 'example.com');
    const { resources } = (await call('GET', '/apis/example.com/v1')).body;
    assert.deepEqual(
      resources.map((r: { name: string; namespaced: boolean; shortNames?: string[] }) => [r.name, r.namespaced, r.shortNames]),
      [
        ['planets', false, undefined],
        ['widgets', true, ['wd']],
        ['widgets/status', true, undefined],
      ],
    );
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const aggregated = (await call('GET', '/apis', undefined, { headers: { accept } })).body;
    const group = aggregated.items.find((g: { metadata: { name: string } }) => g.metadata.name === 'example.com');
    assert.deepEqual(
      group.versions[0].resources.map((r: { resource: string; scope: string }) => `${r.resource} ${r.scope}`),
      ['planets Cluster', 'widgets Namespaced'],
    );
    const now = (await call('GET', '/openapi/v3')).body.paths;
    assert.deepEqual(
      Object.keys(now).filter((path) => now[path].serverRelativeURL !== index[path]?.serverRelativeURL),
      ['apis/example.com/v1'],
    );
  });

  test('is described by OpenAPI v3 and v2', async () => {
    const { components, paths } = (await call('GET', '/openapi/v3/apis/example.com/v1')).body;
    const schema = components.schemas['com.example.v1.Widget'];
    assert.deepEqual(schema['x-kubernetes-group-version-kind'], [{ group: 'example.com', kind: 'Widget', version: 'v1' }]);
    assert.deepEqual(schema.properties.spec.allOf, [{ $ref: '#/components/schemas/com.example.v1.WidgetSpec' }]);
    const { parts } = components.schemas['com.example.v1.WidgetSpec'].properties;
    assert.deepEqual([parts['x-kubernetes-list-type'], parts['x-kubernetes-list-map-keys']], ['map', ['name']]);
    assert.ok(components.schemas['com.example.v1.WidgetList'].properties.items);
    const patch = paths[`${inDefault.replace('default', '{namespace}')}/{name}`].patch;
    assert.ok(!Object.keys(patch.requestBody.content).some((type) => type.includes('strategic')));
    const { definitions } = (await call('GET', '/openapi/v2')).body;
    assert.ok(definitions['com.example.v1.Planet'].properties.mass);
  });

  test('is created, read, listed, changed and deleted, under its own schema', async () => {
    const warned = await call('POST', inDefault, widget('a', { size: 3, colour: 'red' }));
    assert.deepEqual([warned.status, warned.body.spec, warned.body.metadata.generation], [201, { size: 3 }, 1]);
    assert.match(String(warned.headers.warning), /unknown field \\"spec.colour\\"/);
    assert.equal((await call('POST', inDefault, widget('b', { size: 'large' }))).status, 400);
    const refused = await call('POST', inDefault, widget('b', { size: -1 }));
    assert.deepEqual([refused.status, refused.body.details.causes[0].field], [422, 'spec.size']);
    assert.equal((await call('POST', '/apis/example.com/v1/widgets', widget('b'))).status, 405);
    const merged = await call('PATCH', `${inDefault}/a`, { spec: { size: 4 } }, { type: 'application/merge-patch+json' });
    assert.deepEqual([merged.body.spec.size, merged.body.metadata.generation], [4, 2]);
    assert.equal((await call('PATCH', `${inDefault}/a`, {}, { type: 'application/strategic-merge-patch+json' })).status, 415);
    const put = await call('PUT', `${inDefault}/a/status`, { ...widget('a', { size: 9 }), status: { phase: 'Ready' } });
    assert.deepEqual([put.body.spec.size, put.body.status.phase], [4, 'Ready']);
    const list = (await call('GET', inDefault)).body;
    assert.deepEqual([list.kind, list.apiVersion, list.items.length], ['WidgetList', 'example.com/v1', 1]);
    const table = await call('GET', inDefault, undefined, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    assert.equal(table.body.rows[0].cells[0], 'a');
    assert.equal((await call('DELETE', `${inDefault}/a`)).status, 200);
    assert.equal((await call('GET', `${inDefault}/a`)).status, 404);
  });

  test('is answered as JSON, and has no protobuf', async () => {
    await call('POST', inDefault, widget('json'));
    const packed = { type: 'application/vnd.kubernetes.protobuf' };
    const accept = `${packed.type},application/json`;
    const answer = await call('GET', `${inDefault}/json`, undefined, { headers: { accept } });
    assert.deepEqual([answer.headers['content-type'], answer.body?.kind], ['application/json', 'Widget']);
    const list = await call('GET', inDefault, undefined, { headers: { accept } });
    assert.deepEqual([list.headers['content-type'], list.body?.kind], ['application/json', 'WidgetList']);
    const made = await call('POST', inDefault, wrapMessage('example.com/v1', 'Widget', Buffer.alloc(0)), packed);
    assert.deepEqual([made.status, made.body.reason], [415, 'UnsupportedMediaType']);
    assert.match(made.body.message, /unknown format - accepted media types include: application\/json, application\/yaml$/);
    // The options of a deletion have it, whatever is deleted.
    const options = encodeProtobuf({ apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' } as KindedObject);
    assert.equal((await call('DELETE', `${inDefault}/json`, options, packed)).status, 200);
  });

  test('is decoded in the worker too, where its body is large', async () => {
    const parts = Array.from({ length: 5_000 }, (_, i) => ({ name: `part-${i}`, weight: 1 }));
    const large = await call('POST', inDefault, widget('large', { parts, colour: 'red' }));
    assert.deepEqual([large.status, large.body.spec.parts.length, large.body.spec.colour], [201, 5_000, undefined]);
    const yaml = 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: yaml}\nspec: {size: 2, colour: red}\n';
    const made = await call('POST', inDefault, yaml, { type: 'application/yaml' });
    assert.deepEqual([made.status, made.body.spec], [201, { size: 2 }]);
    for (const name of ['large', 'yaml']) await call('DELETE', `${inDefault}/${name}`);
  });

  test('is applied by several managers, each with entries of its own in a list with keys', async () => {
    const applied = (manager: string, spec: object): ReturnType<TestServer['call']> =>
      call('PATCH', `${inDefault}/applied?fieldManager=${manager}`, widget('applied', spec), apply);
    assert.equal((await applied('one', { size: 1, parts: [{ name: 'x' }] })).status, 201);
    const both = await applied('two', { parts: [{ name: 'y', weight: 2 }] });
    assert.deepEqual(both.body.spec, { size: 1, parts: [{ name: 'x' }, { name: 'y', weight: 2 }] });
    const conflict = await applied('two', { size: 2, parts: [{ name: 'y', weight: 2 }] });
    assert.deepEqual([conflict.status, conflict.body.details.causes[0].field], [409, '.spec.size']);
    assert.match((await applied('two', { colour: 'red' })).body.message, /\.spec\.colour: field not declared in schema/);
    assert.deepEqual((await applied('one', { size: 1 })).body.spec.parts, [{ name: 'y', weight: 2 }]);
  });

  test('is watched, also in all namespaces, and at the scope of the cluster', async () => {
    const watch = await server.watch('/apis/example.com/v1/widgets?watch=true&resourceVersion=0');
    assert.deepEqual(await watch.names(1), ['ADDED applied']);
    await call('POST', inDefault, widget('w'));
    await call('DELETE', `${inDefault}/w`);
    assert.deepEqual(await watch.names(2), ['ADDED w', 'DELETED w']);
    watch.close();
    assert.equal((await call('POST', '/apis/example.com/v1/planets', { metadata: { name: 'earth' }, mass: '6e24' })).status, 201);
    assert.equal((await call('GET', '/apis/example.com/v1/planets/earth')).body.mass, '6e24');
    assert.equal((await call('GET', '/apis/example.com/v1/namespaces/default/planets')).status, 404);
  });

  test('is held to by RBAC as any other', async () => {
    const agent = server.agent(await server.pki.client('reader'));
    assert.equal((await call('GET', inDefault, undefined, { agent })).status, 403);
    const rules = [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['list'] }];
    await call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'reader' }, rules });
    const binding = {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    };
    await call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      ...binding,
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'reader' }],
    });
    assert.equal((await call('GET', inDefault, undefined, { agent })).status, 200);
    assert.equal((await call('DELETE', `${inDefault}/applied`, undefined, { agent })).status, 403);
  });

  test('is counted while it is served', async () => {
    const stored = async (): Promise<string[]> =>
      (await call('GET', '/metrics')).text.match(/apiserver_storage_objects\{resource="example.com[^\n]*/g) ?? [];
    assert.deepEqual(await stored(), [
      'apiserver_storage_objects{resource="example.com/widgets"} 1',
      'apiserver_storage_objects{resource="example.com/planets"} 1',
    ]);
  });

  test('goes again: its watches end, its paths are gone, and others stay as they were', async () => {
    const watch = await server.watch(`${inDefault}?watch=true`);
    const others = await server.watch('/api/v1/configmaps?watch=true&resourceVersion=0&fieldSelector=metadata.name=p');
    assert.deepEqual(await watch.names(1), ['ADDED applied']);
    registry.remove(widgets);
    assert.equal(await watch.next(), undefined);
    for (const [method, path] of [
      ['GET', inDefault],
      ['GET', `${inDefault}/applied`],
      ['POST', inDefault],
      ['GET', `${inDefault}?watch=true`],
    ] as const)
      assert.equal((await call(method, path, method === 'POST' ? widget('late') : undefined)).status, 404, `${method} ${path}`);
    assert.deepEqual(
      (await call('GET', '/apis/example.com/v1')).body.resources.map((r: { name: string }) => r.name),
      ['planets'],
    );
    assert.equal((await call('GET', '/apis/example.com/v1/planets/earth')).status, 200);
    registry.remove(planets);
    assert.ok(!(await groups()).includes('example.com'));
    await call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'p' } });
    assert.deepEqual(await others.names(1), ['ADDED p']);
    others.close();
  });

  test('comes back with the objects that it left in the store, and with what others wrote there while it was loaded', async () => {
    const left = await store.range('/registry/example.com/', prefixEnd('/registry/example.com/'));
    assert.equal(left.count, 2);
    for (let i = 0; i < 1_500; i++) await store.put(`/registry/example.com/widgets/default/w${i + 1000}`, encoded(`w${i + 1000}`));
    const { range } = store;
    store.range = async (...args) => {
      const page = await range.apply(store, args);
      if (page.more) {
        await store.delete('/registry/example.com/widgets/default/w1000');
        await store.put('/registry/example.com/widgets/default/w1001', encoded('w1001', 7));
        await store.put('/registry/example.com/widgets/default/new', encoded('new'));
      }
      return page;
    };
    registry.add(widgets);
    store.range = range;
    const names = (await call('GET', inDefault)).body.items.map((w: { metadata: { name: string } }) => w.metadata.name);
    assert.deepEqual([names.length, names.includes('w1000'), names.includes('new'), names.includes('applied')], [1_501, false, true, true]);
    assert.equal((await call('GET', `${inDefault}/w1001`)).body.spec.size, 7);
  });
});

function encoded(name: string, size = 1): Uint8Array {
  return Buffer.from(
    JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, namespace: 'default', uid: name }, spec: { size } }),
  );
}
