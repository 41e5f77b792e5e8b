/** CustomResourceDefinitions over a living server: from the definition to objects of its kind, and away again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cleanupFinalizer } from '../api/custom/definition.ts';
import type { JsonSchema } from '../api/schema/schema.ts';
import { MemoryStore } from '../storage/memory/memory-store.ts';
import { type Json, type Reply, TestServer } from './testing/test-server.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const merge = { type: 'application/merge-patch+json' };
const apply = { type: 'application/apply-patch+yaml' };

const widgetSchema: JsonSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
        colour: { type: 'string', enum: ['red', 'green'] },
        anything: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, weight: { type: 'integer' } } },
        },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' }, phase: { type: 'string' } } },
  },
};

function version(name: string, schema: JsonSchema, more: object = {}): object {
  return { name, served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more };
}

function definition(kind: string, versions: readonly object[], more: object = {}): Json {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: { group: 'example.com', scope: 'Namespaced', names: { plural, kind }, versions, ...more },
  };
}

const subresources = {
  status: {},
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
};
const columns = [
  { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
  { name: 'Phase', type: 'string', jsonPath: '.status.phase', priority: 1 },
];
const widgets = definition(
  'Widget',
  [
    version('v1', widgetSchema, { subresources, additionalPrinterColumns: columns, selectableFields: [{ jsonPath: '.spec.colour' }] }),
    version('v2', widgetSchema, { storage: false, subresources }),
  ],
  { names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] } },
);
const path = '/apis/example.com/v1/namespaces/default/widgets';
const widget = (name: string, spec: object = {}): Json => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec });

/** Asks until the answer is as wanted. */
async function until(ask: () => Promise<Reply>, wanted: (reply: Reply) => boolean): Promise<Reply> {
  for (;;) {
    const reply = await ask();
    if (wanted(reply)) return reply;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function conditionOf(body: Json, type: string): string | undefined {
  return body.status?.conditions?.find((one: Json) => one.type === type)?.status;
}

describe('a CustomResourceDefinition', () => {
  const store = new MemoryStore();
  let server: TestServer;
  let second: TestServer;
  const call: TestServer['call'] = (...args) => server.call(...args);
  const establish = async (body: Json): Promise<Reply> => {
    const made = await call('POST', definitions, body);
    assert.equal(made.status, 201, made.text);
    return until(
      () => call('GET', `${definitions}/${body.metadata.name}`),
      (reply) => conditionOf(reply.body, 'Established') !== undefined,
    );
  };
  before(async () => {
    server = await TestServer.start(store);
    second = await TestServer.start(store, { beside: server });
  });
  after(async () => {
    await second.server.close();
    second.disconnect();
    await server.stop();
  });

  test('gets its defaults, and is established', async () => {
    assert.equal((await call('GET', path)).status, 404);
    const { body } = await establish(widgets);
    assert.deepEqual(
      [body.spec.names.singular, body.spec.names.listKind, body.spec.conversion],
      ['widget', 'WidgetList', { strategy: 'None' }],
    );
    assert.deepEqual([conditionOf(body, 'NamesAccepted'), conditionOf(body, 'Established')], ['True', 'True']);
    assert.deepEqual([body.status.storedVersions, body.status.acceptedNames.kind, body.metadata.generation], [['v1'], 'Widget', 1]);
  });

  test('is served by every server of the store, in discovery too', async () => {
    for (const one of [server, second]) {
      assert.deepEqual((await one.call('GET', path)).body.items, []);
      const { resources } = (await one.call('GET', '/apis/example.com/v1')).body;
      assert.deepEqual(
        resources.map((r: Json) => [r.name, r.kind, r.shortNames]),
        [
          ['widgets', 'Widget', ['wd']],
          ['widgets/status', 'Widget', undefined],
          ['widgets/scale', 'Scale', undefined],
        ],
      );
      assert.equal((await one.call('GET', '/apis/example.com')).body.preferredVersion.version, 'v2');
    }
  });

  test('prunes, fills in defaults, validates', async () => {
    const made = await call('POST', path, widget('a', { size: 3, anything: { a: { b: 1 } } }));
    assert.deepEqual([made.status, made.body.spec, made.body.metadata.generation], [201, { anything: { a: { b: 1 } }, replicas: 1 }, 1]);
    assert.match(String(made.headers.warning), /unknown field \\"spec.size\\"/);
    const strict = await call('POST', `${path}?fieldValidation=Strict`, widget('b', { size: 3 }));
    assert.deepEqual([strict.status, /strict decoding error: unknown field "spec.size"/.test(strict.body.message)], [400, true]);
    const refused = await call('POST', path, widget('b', { replicas: 11, colour: 'blue' }));
    assert.equal(refused.status, 422);
    assert.equal(
      refused.body.message,
      'Widget.example.com "b" is invalid: [spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10, spec.colour: Unsupported value: "blue": supported values: "red", "green"]',
    );
    const wrong = await call('POST', path, widget('b', { replicas: 'many' }));
    assert.match(wrong.body.message, /spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"/);
    assert.equal(wrong.body.details.causes[0].reason, 'FieldValueTypeInvalid');
    const { spec: _spec, ...without } = widget('b');
    assert.match((await call('POST', path, without)).body.message, /spec: Required value$/);
  });

  test('keeps the status apart, and counts what else changes', async () => {
    const one = `${path}/a`;
    const changed = await call('PATCH', one, { spec: { replicas: 2 }, status: { phase: 'Ready' } }, merge);
    assert.deepEqual([changed.body.metadata.generation, changed.body.status], [2, undefined]);
    const told = await call(
      'PATCH',
      `${one}/status`,
      { metadata: { labels: { a: 'b' } }, spec: { replicas: 9 }, status: { phase: 'Ready', replicas: 2, selector: 'a=b' } },
      merge,
    );
    assert.deepEqual(
      [told.body.spec.replicas, told.body.status.phase, told.body.metadata.generation, told.body.metadata.labels],
      [2, 'Ready', 2, undefined],
    );
    assert.equal((await call('PATCH', one, {}, { type: 'application/strategic-merge-patch+json' })).status, 415);
  });

  test('is scaled', async () => {
    const scale = (await call('GET', `${path}/a/scale`)).body;
    assert.deepEqual([scale.kind, scale.spec, scale.status], ['Scale', { replicas: 2 }, { replicas: 2, selector: 'a=b' }]);
    const scaled = await call('PATCH', `${path}/a/scale`, { spec: { replicas: 4 } }, merge);
    assert.deepEqual([scaled.status, scaled.body.spec.replicas], [200, 4]);
    assert.equal((await call('GET', `${path}/a`)).body.spec.replicas, 4);
    assert.equal((await call('PATCH', `${path}/a/scale`, { spec: { replicas: 11 } }, merge)).status, 422);
  });

  test('is shown as a Table, and selected by fields', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const table = (await call('GET', path, undefined, { headers: { accept } })).body;
    assert.deepEqual(
      table.columnDefinitions.map((c: Json) => [c.name, c.type, c.priority]),
      [
        ['Name', 'string', 0],
        ['Replicas', 'integer', 0],
        ['Phase', 'string', 1],
      ],
    );
    assert.deepEqual(table.rows[0].cells, ['a', 4, 'Ready']);
    await call('POST', path, widget('red', { colour: 'red' }));
    const red = (await call('GET', `${path}?fieldSelector=spec.colour%3Dred`)).body;
    assert.deepEqual(
      red.items.map((one: Json) => one.metadata.name),
      ['red'],
    );
    assert.equal((await call('GET', `${path}?fieldSelector=spec.replicas%3D1`)).status, 400);
  });

  test('is read and written in each version', async () => {
    const other = path.replace('v1', 'v2');
    assert.equal((await call('GET', `${other}/a`)).body.apiVersion, 'example.com/v2');
    await call('PATCH', `${other}/a`, { spec: { replicas: 5 } }, merge);
    const seen = (await second.call('GET', `${path}/a`)).body;
    assert.deepEqual([seen.apiVersion, seen.spec.replicas], ['example.com/v1', 5]);
    const watch = await server.watch(`${other}?watch=true`);
    assert.deepEqual((await watch.names(2)).toSorted(), ['ADDED a', 'ADDED red']);
    watch.close();
  });

  test('is applied by several managers', async () => {
    const applied = (manager: string, spec: object): ReturnType<TestServer['call']> =>
      call('PATCH', `${path}/applied?fieldManager=${manager}`, widget('applied', spec), apply);
    assert.equal((await applied('one', { replicas: 3, parts: [{ name: 'x' }], anything: { b: [1] } })).status, 201);
    const both = await applied('two', { parts: [{ name: 'y', weight: 2 }] });
    assert.deepEqual(both.body.spec.parts, [{ name: 'x' }, { name: 'y', weight: 2 }]);
    const conflict = await applied('two', { replicas: 2 });
    assert.deepEqual([conflict.status, conflict.body.details.causes[0].field], [409, '.spec.replicas']);
    assert.match((await applied('two', { size: 1 })).body.message, /\.spec\.size: field not declared in schema/);
  });

  test('is described by OpenAPI', async () => {
    const { components } = (await call('GET', '/openapi/v3/apis/example.com/v1')).body;
    const schema = components.schemas['com.example.v1.Widget'];
    assert.deepEqual(schema['x-kubernetes-group-version-kind'], [{ group: 'example.com', kind: 'Widget', version: 'v1' }]);
    assert.equal(schema.properties.spec.properties.replicas.maximum, 10);
    assert.ok(components.schemas['com.example.v1.WidgetList'] && schema.properties.metadata);
    const { definitions: old } = (await call('GET', '/openapi/v2')).body;
    assert.equal(old['com.example.v1.Widget'].properties.spec.properties.anything.type, undefined);
  });

  test('has no names that another one has', async () => {
    const twin = definition('Gadget', [version('v1', { type: 'object' })], {
      names: { plural: 'gadgets', kind: 'Widget', shortNames: ['wd'] },
    });
    const { body } = await establish(twin);
    assert.deepEqual([conditionOf(body, 'NamesAccepted'), conditionOf(body, 'Established')], ['False', 'False']);
    assert.equal(body.status.conditions[0].message, '"WidgetList" is already in use');
    assert.equal((await call('GET', '/apis/example.com/v1/gadgets')).status, 404);
  });

  test('shows objects as its new schema has them', async () => {
    const { properties = {} } = widgetSchema;
    const spec = { ...properties.spec, properties: { ...properties.spec?.properties, shape: { type: 'string', default: 'round' } } };
    const renewed = version('v1', { ...widgetSchema, properties: { ...properties, spec } }, { subresources });
    await call('PATCH', `${definitions}/widgets.example.com`, { spec: { versions: [renewed] } }, merge);
    const seen = await until(
      () => call('GET', `${path}/red`),
      (reply) => reply.body.spec?.shape !== undefined,
    );
    assert.deepEqual(seen.body.spec, { colour: 'red', replicas: 1, shape: 'round' });
    assert.equal((await call('GET', '/apis/example.com/v2')).status, 404);
  });

  test('goes when its objects are gone, and frees its names', async () => {
    await call('PATCH', `${path}/red`, { metadata: { finalizers: ['example.com/hold'] } }, merge);
    const gone = await call('DELETE', `${definitions}/widgets.example.com`);
    assert.deepEqual(
      [gone.status, gone.body.metadata.finalizers, conditionOf(gone.body, 'Terminating')],
      [200, [cleanupFinalizer], 'True'],
    );
    await until(
      () => call('GET', path),
      (reply) => reply.body.items?.length === 1,
    );
    const late = await call('POST', path, widget('late'));
    assert.deepEqual([late.status, late.body.message], [405, 'create not allowed while custom resource definition is terminating']);
    await call('PATCH', `${path}/red`, { metadata: { finalizers: null } }, merge);
    await until(
      () => call('GET', path),
      (reply) => reply.status === 404,
    );
    assert.equal((await call('GET', `${definitions}/widgets.example.com`)).status, 404);
    await until(
      () => call('GET', '/apis/example.com/v1/gadgets'),
      (reply) => reply.status === 200,
    );
    assert.equal((await store.range('/registry/example.com/', '/registry/example.com0')).count, 0);
  });
});
