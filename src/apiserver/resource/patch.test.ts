import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { RequestContext } from '../http/request-context.ts';
import { isStatusError, type StatusError } from '../status/status-error.ts';
import { patchOf, readPatch } from './patch.ts';

const row = new Registry().rowOf('apps', 'v1', 'deployments')!;
const types = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', labels: { a: '1' } },
  spec: { template: { spec: { containers: [{ name: 'a', image: 'x' }] } } },
} as unknown as KubeObject;

function patched(type: string | undefined, body: unknown): unknown {
  const before = structuredClone(deployment);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  try {
    return readPatch(row, row.schema, type, Buffer.from(text)).apply(deployment);
  } finally {
    assert.deepEqual(deployment, before);
  }
}

const containersOf = (object: unknown): unknown =>
  (object as { spec: { template: { spec: { containers: unknown } } } }).spec.template.spec.containers;
const refused = (code: number, why: RegExp) => (err: unknown) => isStatusError(err) && err.code === code && why.test(err.message);

describe('readPatch()', () => {
  const other = { spec: { template: { spec: { containers: [{ name: 'b', image: 'y' }] } } } };

  test('makes of a JSON patch what it says', () => {
    const { metadata } = patched(types.json, [{ op: 'replace', path: '/metadata/labels/a', value: '2' }]) as KubeObject;
    assert.deepEqual(metadata.labels, { a: '2' });
  });

  test('replaces lists by a merge patch, whatever parameters its type has', () => {
    for (const type of [types.merge, `${types.merge}; charset=utf-8`, types.merge.toUpperCase()])
      assert.deepEqual(containersOf(patched(type, other)), [{ name: 'b', image: 'y' }]);
  });

  test('merges lists by a strategic one', () => {
    assert.deepEqual(containersOf(patched(types.strategic, other)), [
      { name: 'b', image: 'y' },
      { name: 'a', image: 'x' },
    ]);
  });

  for (const type of [undefined, 'application/json'])
    test(`refuses the type ${type}, and names those that there are`, () => {
      assert.throws(() => patched(type, {}), refused(415, /json-patch\+json, application\/merge-patch\+json, application\/strategic/));
    });

  test('refuses what is no JSON, and what leaves no object', () => {
    assert.throws(() => patched(types.merge, '{'), refused(400, /error decoding patch: /));
    for (const left of [null, 'text', [1]])
      assert.throws(() => patched(types.json, [{ op: 'replace', path: '', value: left }]), refused(400, /leaves no object/), String(left));
  });

  test('refuses a patch that does not fit, and says so in the cause that kubectl prints', () => {
    assert.throws(
      () => patched(types.json, [{ op: 'remove', path: '/spec/no' }]),
      (err) => {
        const { message, details, code } = (err as StatusError).status;
        const { causes, ...about } = details!;
        assert.equal(code, 422);
        assert.match(message!, /^the server rejected our request due to an error in our request: /);
        assert.deepEqual(about, { name: 'web', group: 'apps', kind: 'Deployment' });
        assert.deepEqual([causes?.length, causes?.[0]?.reason, causes?.[0]?.field], [1, 'UnexpectedServerResponse', 'patch']);
        return true;
      },
    );
  });

  test('refuses a patch of the wrong form', () => {
    assert.throws(() => patched(types.json, { op: 'remove' }), refused(400, /./));
  });

  test('refuses what copies more values than an object may have', () => {
    const list = Array.from({ length: 30_000 }, () => 1);
    const ops = [
      { op: 'add', path: '/spec/a', value: list },
      { op: 'copy', from: '/spec/a', path: '/spec/b' },
    ];
    assert.throws(() => patched(types.json, ops), refused(413, /Deployment "web" has too many values/));
    assert.equal((patched(types.json, ops.slice(0, 1)) as { spec: { a: unknown[] } }).spec.a.length, 30_000);
  });
});

/** The warnings, or `422` and what is said of the field `patch`. */
function told(type: keyof typeof types, body: unknown, fieldValidation: string): unknown {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const ctx = {
    req: { headers: { 'content-type': types[type] } },
    query: new URLSearchParams({ fieldValidation }),
    body: Buffer.from(text),
    warnings: ['before'],
  } as unknown as RequestContext;
  const patch = patchOf(ctx, row, row.schema);
  try {
    patch(deployment);
    patch(deployment);
  } catch (err) {
    assert.ok(isStatusError(err, 'Invalid'));
    const { message, details } = err.status;
    const [cause] = details?.causes ?? [];
    assert.deepEqual({ ...details, causes: [] }, { causes: [] });
    assert.equal(message, ` "" is invalid: patch: ${cause?.message}`);
    return `${err.code} ${cause?.field}: ${cause?.message?.replace(`Invalid value: ${JSON.stringify(text)}: `, '')}`;
  }
  assert.equal(ctx.warnings.shift(), 'before');
  return ctx.warnings;
}

describe('patchOf()', () => {
  const unknown = 'unknown field "spec.foo"';
  for (const [type, body] of [
    ['json', [{ op: 'add', path: '/spec/foo', value: 1 }]],
    ['merge', { spec: { foo: 1 } }],
    ['strategic', { spec: { foo: 1 } }],
  ] as const)
    test(`tells of an unknown field in a ${type} patch as fieldValidation says`, () => {
      assert.deepEqual(told(type, body, ''), [unknown]);
      assert.deepEqual(told(type, body, 'Warn'), [unknown]);
      assert.deepEqual(told(type, body, 'Ignore'), []);
      assert.equal(told(type, body, 'Strict'), `422 patch: strict decoding error: ${unknown}`);
    });

  test('tells of what stands twice in a patch, and of members that no operation has', () => {
    const twice = '{"spec":{"paused":true,"paused":false}}';
    for (const type of ['merge', 'strategic'] as const) {
      assert.deepEqual(told(type, twice, 'Warn'), ['duplicate field "spec.paused"']);
      assert.equal(told(type, twice, 'Strict'), '422 patch: strict decoding error: duplicate field "spec.paused"');
    }
    const odd = '[{"op":"add","x":1,"path":"/spec/paused","path":"/spec/paused","value":true}]';
    const both = ['json patch unknown field "[0].x"', 'json patch duplicate field "[0].path"'];
    assert.deepEqual(told('json', odd, 'Warn'), both);
    assert.deepEqual(told('json', odd, 'Ignore'), []);
    assert.equal(told('json', odd, 'Strict'), `422 patch: strict decoding error: ${both.join(', ')}`);
  });

  test('refuses a value of a wrong type, whatever fieldValidation says', () => {
    for (const validation of ['Ignore', 'Warn', 'Strict'])
      assert.equal(
        told('merge', { spec: { replicas: 'x' } }, validation),
        '422 patch: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      );
  });

  test('refuses to make something else of it, but by a strategic patch, which says nothing of that', () => {
    const refused = '422 patch: no kind "Foo" is registered for version "apps/v1"';
    assert.equal(told('merge', { kind: 'Foo' }, ''), refused);
    assert.equal(told('json', [{ op: 'replace', path: '/kind', value: 'Foo' }], ''), refused);
    assert.deepEqual(told('json', [{ op: 'remove', path: '/kind' }], ''), []);
    assert.deepEqual(told('strategic', { kind: 'Foo', apiVersion: 'v2' }, ''), []);
  });

  test('shows no more than the beginning of a long patch', () => {
    const long = { spec: { replicas: 'x'.repeat(5000) } };
    assert.ok(String(told('merge', long, '')).length < 1200);
  });
});
