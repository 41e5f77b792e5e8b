import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { isStatusError } from '../status/status-error.ts';
import { isApply, readApply, settled } from './apply.ts';
import { placeOf } from './field-places.ts';
import { fakeRequest } from './testing/resource-bed.ts';

const place = placeOf(new Registry().rowOf('apps', 'v1', 'deployments')!);
const now = Date.parse('2026-01-01T00:00:00Z');
const config = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' }, spec: { replicas: 2 } };
const request = (body: object | string, query = 'fieldManager=me'): ReturnType<typeof fakeRequest>['ctx'] =>
  fakeRequest('PATCH', `/apis/apps/v1/namespaces/shop/deployments/web?${query}`, { body }).ctx;

test('isApply() is for the one type of patch', () => {
  const of = (type?: string): boolean => isApply(fakeRequest('PATCH', '/', { headers: type ? { 'content-type': type } : {} }).ctx);
  assert.deepEqual(
    [of('application/apply-patch+yaml'), of('application/Apply-Patch+YAML; charset=utf-8'), of('application/merge-patch+json'), of()],
    [true, true, false, false],
  );
});

describe('readApply()', () => {
  test('gives the configuration, and who applies it, when and how', async () => {
    for (const body of [config, 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2}']) {
      const read = await readApply(request(body), place, 'Deployment', now);
      assert.deepEqual(read, { config, warnings: [], applier: { place, manager: 'me', force: false, now: '2026-01-01T00:00:00Z' } });
    }
    const { applier } = await readApply(request(config, 'fieldManager=me&force=true'), place, 'Deployment', now);
    assert.equal(applier.force, true);
  });

  test('warns of a key that stands twice', async () => {
    const twice = JSON.stringify(config).replace('"replicas":2', '"replicas":1,"replicas":2');
    const { warnings } = await readApply(request(twice), place, 'Deployment', now);
    assert.deepEqual(warnings, ['duplicate field "spec.replicas"']);
  });

  test('takes managed fields that are null, and metadata that are none', async () => {
    await readApply(request({ ...config, metadata: { name: 'web', managedFields: null } }), place, 'Deployment', now);
    await readApply(request({ apiVersion: 'apps/v1', kind: 'Deployment' }), place, 'Deployment', now);
  });

  for (const [what, body, query, reason, why] of [
    ['without a manager', config, '', 'Invalid', /PatchOptions.* fieldManager: Required value: is required for apply patch/],
    ['of another version', { ...config, apiVersion: 'v1' }, undefined, 'BadRequest', /invalid object type: \/v1, Kind=Deployment$/],
    ['of another kind', { ...config, kind: 'Pod' }, undefined, 'BadRequest', /invalid object type: apps\/v1, Kind=Pod$/],
    ['of no kind', { apiVersion: 1 }, undefined, 'BadRequest', /invalid object type: \/, Kind=$/],
    [
      'with managed fields',
      { ...config, metadata: { ...config.metadata, managedFields: [] } },
      undefined,
      'BadRequest',
      /metadata.managedFields must be nil/,
    ],
    [
      'with a field that there is not',
      { ...config, spec: { size: 1 } },
      undefined,
      'BadRequest',
      /^failed to create typed patch object \(shop\/web; apps\/v1, Kind=Deployment\): .*spec\.size: field not declared in schema/,
    ],
  ] as const)
    test(`refuses one ${what}`, async () => {
      await assert.rejects(readApply(request(body, query), place, 'Deployment', now), (err) => {
        assert.ok(isStatusError(err, reason));
        assert.match(err.message, why);
        return true;
      });
    });
});

describe('settled()', () => {
  const manager = { manager: 'you', operation: 'Update', apiVersion: 'apps/v1', subresource: '', time: undefined } as const;

  test('gives what an apply made', () => {
    const applied = { ok: true, object: {}, managers: new Map() } as unknown as Parameters<typeof settled>[0];
    assert.equal(settled(applied), applied);
  });

  test('throws conflicts, each as a cause', () => {
    const conflicts = [{ manager, path: ['f:spec', 'f:replicas'] }];
    const applied = { ok: false, conflicts } as unknown as Parameters<typeof settled>[0];
    assert.throws(
      () => settled(applied),
      (err) => {
        assert.ok(isStatusError(err, 'Conflict'));
        assert.match(err.message, /Apply failed with 1 conflict: conflict with "you" using apps\/v1: \.spec\.replicas/);
        assert.deepEqual(err.status.details?.causes, [
          { reason: 'FieldManagerConflict', message: 'conflict with "you" using apps/v1', field: '.spec.replicas' },
        ]);
        return true;
      },
    );
  });
});
