import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { placeOf, placesOf } from './field-places.ts';

const registry = new Registry();
const row = (resource: string, group = ''): ResourceRow => registry.rowOf(group, 'v1', resource)!;
const part = (of: ResourceRow, name: string): PartSubresource => subresourceOf(of, name) as PartSubresource;
/** The paths that are nobody's there. */
const ignored = (of: ResourceRow, name?: string): string[] => {
  const found: string[] = [];
  const visit = (fields: object, path: string): void => {
    const below = Object.entries(fields);
    if (below.length === 0) found.push(path);
    for (const [field, value] of below) visit(value, `${path}/${field.replace('f:', '')}`);
  };
  visit(placeOf(of, name === undefined ? undefined : part(of, name)).ignored.toFieldsV1(), '');
  return found.toSorted();
};

describe('placeOf()', () => {
  for (const [what, of, name, paths] of [
    ['an object with a status', row('pods'), undefined, ['/status']],
    ['an object without one', row('configmaps'), undefined, ['']],
    ['a status', row('pods'), 'status', ['/spec']],
    ['a status whose labels stay', row('deployments', 'apps'), 'status', ['/metadata/labels', '/spec']],
    ['another part', row('pods'), 'ephemeralcontainers', ['/metadata', '/status']],
    ['a part whose metadata change along', row('certificatesigningrequests', 'certificates.k8s.io'), 'approval', ['/status']],
  ] as const)
    test(`of ${what} leaves out what cannot be written there`, () => assert.deepEqual(ignored(of, name), paths));

  test('has the version of the row, the name of the part, and is made once', () => {
    const deployments = row('deployments', 'apps');
    const status = placeOf(deployments, part(deployments, 'status'));
    assert.deepEqual([placeOf(deployments).apiVersion, placeOf(deployments).subresource, status.subresource], ['apps/v1', '', 'status']);
    assert.equal(placeOf(deployments), placeOf(deployments));
    assert.equal(placeOf(deployments, part(deployments, 'status')), status);
  });

  test('knows the lists of a type', () => {
    assert.ok(placeOf(row('pods')).shape);
    assert.throws(() => placeOf({ ...row('pods'), schema: 'NoSuchType' as ResourceRow['schema'] }), /Pod has no schema/);
  });
});

test('placesOf() is the object, and its status where it has one', () => {
  const names = (of: ResourceRow): string[] => placesOf(of).map(({ subresource }) => subresource);
  assert.deepEqual([names(row('pods')), names(row('configmaps'))], [['', 'status'], ['']]);
});
