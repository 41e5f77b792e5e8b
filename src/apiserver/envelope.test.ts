/** Every shape of JSON in place of every text around an object: whatever comes, the answer is the client's fault (4xx), never ours. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, TestServer } from './testing/test-server.ts';

const shapes: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  1e300,
  '',
  'x',
  [],
  [[]],
  [null],
  {},
  { toString: 'x' },
  { valueOf: null, toString: null },
  { toJSON: 'x' },
  { length: -1 },
  { constructor: { prototype: null } },
];

const meta = [
  ...['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp'],
  ...['labels', 'labels.a', 'annotations', 'annotations.a', 'ownerReferences', 'finalizers', 'managedFields', 'selfLink'],
].map((path) => `metadata.${path}`);
const around = ['', 'apiVersion', 'kind', 'metadata', ...meta];

const ns = '/api/v1/namespaces/default';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const patch = 'application/json-patch+json';
const apply = 'application/apply-patch+yaml';
const access = '/apis/authorization.k8s.io/v1';

/** Where, how, what is meant to be there, and in which places something else is. */
const requests: readonly (readonly [method: string, path: string, type: string | undefined, body: object, places: readonly string[]])[] = [
  ['POST', `${ns}/configmaps?dryRun=All`, undefined, { metadata: { name: 'new' } }, [...around, 'data', 'data.a', 'immutable']],
  ['POST', `${ns}/configmaps?dryRun=All`, 'application/yaml', { metadata: { name: 'new' } }, around],
  ['PUT', `${ns}/configmaps/here?dryRun=All`, undefined, { metadata: { name: 'here' } }, around],
  ['PATCH', `${ns}/configmaps/here?dryRun=All`, merge, {}, around],
  ['PATCH', `${ns}/configmaps/here?dryRun=All`, strategic, {}, [...around, '$patch', '$retainKeys', 'metadata.$patch']],
  [
    'PATCH',
    `${ns}/configmaps/here?dryRun=All`,
    strategic,
    {},
    ['metadata.$setElementOrder/finalizers', 'metadata.$deleteFromPrimitiveList/finalizers'],
  ],
  ['PATCH', `${ns}/configmaps/here?dryRun=All`, patch, [{ op: 'add', path: '/data', value: {} }], ['', '0', '0.op', '0.path', '0.value']],
  ['PATCH', `${ns}/configmaps/here?dryRun=All`, patch, [{ op: 'copy', from: '/data', path: '/x' }], ['0.from', '0.path']],
  ['PATCH', `${ns}/configmaps/here?dryRun=All`, patch, [{ op: 'replace', path: '/kind', value: 'x' }], ['0.value']],
  [
    'PATCH',
    `${ns}/configmaps/here?dryRun=All`,
    patch,
    [{ op: 'replace', path: '', value: {} }],
    ['0.value', '0.value.metadata', '0.value.kind'],
  ],
  [
    'PATCH',
    `${ns}/configmaps/here?dryRun=All&fieldManager=m`,
    apply,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'here' } },
    around,
  ],
  [
    'DELETE',
    `${ns}/configmaps/here?dryRun=All`,
    undefined,
    { dryRun: ['All'] },
    [...around, 'gracePeriodSeconds', 'preconditions', 'preconditions.uid', 'propagationPolicy', 'orphanDependents', 'dryRun', 'dryRun.0'],
  ],
  ['DELETE', `${ns}/configmaps?dryRun=All`, undefined, { dryRun: ['All'] }, ['', 'kind', 'preconditions']],
  ['POST', `${ns}/pods/none/binding`, undefined, { target: { name: 'n' } }, [...around, 'target', 'target.name', 'target.kind']],
  ['POST', `${ns}/bindings`, undefined, { metadata: { name: 'none' }, target: { name: 'n' } }, around],
  ['POST', `${ns}/pods/none/eviction`, undefined, {}, [...around, 'deleteOptions', 'deleteOptions.preconditions', 'deleteOptions.dryRun']],
  [
    'POST',
    `${ns}/serviceaccounts/default/token`,
    undefined,
    {},
    [...around, 'spec', 'spec.audiences', 'spec.audiences.0', 'spec.boundObjectRef', 'spec.boundObjectRef.kind', 'spec.expirationSeconds'],
  ],
  ['PUT', '/apis/apps/v1/namespaces/default/deployments/here/scale?dryRun=All', undefined, {}, [...around, 'spec', 'spec.replicas']],
  ['PATCH', '/apis/apps/v1/namespaces/default/deployments/here/scale?dryRun=All', merge, {}, [...around, 'spec', 'spec.replicas']],
  [
    'POST',
    `${access}/selfsubjectaccessreviews`,
    undefined,
    { spec: { resourceAttributes: {} } },
    [...around, 'spec', 'spec.resourceAttributes', 'spec.resourceAttributes.fieldSelector', 'spec.nonResourceAttributes.path'],
  ],
  [
    'POST',
    `${access}/subjectaccessreviews`,
    undefined,
    { spec: { user: 'u' } },
    ['spec.user', 'spec.groups', 'spec.groups.0', 'spec.extra', 'spec.extra.a'],
  ],
  ['POST', `${access}/selfsubjectrulesreviews`, undefined, { spec: { namespace: 'n' } }, [...around, 'spec.namespace']],
  [
    'POST',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    undefined,
    { spec: { token: 't' } },
    [...around, 'spec', 'spec.token', 'spec.audiences'],
  ],
  ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', undefined, {}, around],
];

function withShape(object: object, path: string, shape: unknown): unknown {
  if (path === '') return shape;
  const copy = structuredClone(object) as Json;
  const keys = path.split('.');
  const last = keys.pop()!;
  let at = copy;
  for (const key of keys) at = at[key] ??= /^\d+$/.test(last) ? [] : {};
  at[last] = shape;
  return copy;
}

describe('any JSON in place of a text', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
    await s.call('POST', `${ns}/configmaps`, { metadata: { name: 'here' }, data: { a: 'b' } });
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { selector: { matchLabels: { a: 'b' } }, template };
    await s.call('POST', '/apis/apps/v1/namespaces/default/deployments', { metadata: { name: 'here' }, spec });
  });
  after(() => s.stop());

  for (const [method, path, type, body, places] of requests) {
    test(`of ${method} ${path}${type ? ` (${type})` : ''} is the client's fault`, async () => {
      for (const place of places) {
        for (const shape of shapes) {
          const text = JSON.stringify(withShape(body, place, shape));
          const reply = await s.call(method, path, text, { type: type ?? 'application/json' });
          assert.ok(reply.status < 500, `${reply.text} for ${text}`);
          if (reply.status >= 400) assert.equal(reply.body?.kind, 'Status', text);
        }
      }
    });
  }

  test('is refused by the name of the field, as upstream words it', async () => {
    const { status, body } = await s.call('POST', `${ns}/configmaps`, { kind: { toString: 'x' } });
    assert.equal(status, 400);
    assert.match(body.message, /json: cannot unmarshal object into Go struct field \.kind of type string/);
  });
});
