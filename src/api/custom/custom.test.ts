import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScaleSubresource } from '../registry/resource-row.ts';
import { customRows } from './custom.ts';

test('a path of replicas changes its object, and nothing that all objects share', () => {
  const versionOf = (specReplicasPath: string): object => ({
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object' } },
    subresources: { scale: { specReplicasPath, statusReplicasPath: '.status.replicas' } },
  });
  const scaled = (specReplicasPath: string): object => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'as.example.com', generation: 1 },
      spec: {
        group: 'example.com',
        names: { plural: 'as', kind: 'A' },
        scope: 'Namespaced',
        versions: [versionOf(specReplicasPath)],
      },
    };
    const [row] = customRows(definition as never, () => []);
    const scale = row?.subresources.find((one): one is ScaleSubresource => one.kind === 'scale') ?? assert.fail('no scale');
    const object = { apiVersion: 'example.com/v1', kind: 'A', metadata: { name: 'a' }, spec: {} };
    scale.setReplicas(object as never, 7);
    return object.spec;
  };
  assert.deepEqual(scaled('.spec.pool.size'), { pool: { size: 7 } });
  assert.deepEqual(Object.keys(scaled('.spec.__proto__.polluted')), []);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
