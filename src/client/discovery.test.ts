import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client.ts';
import { discover } from './discovery.ts';

const documents: Readonly<Record<string, object>> = {
  '/apis': {
    groups: [
      { name: 'apps', versions: [{ groupVersion: 'apps/v1beta1' }], preferredVersion: { groupVersion: 'apps/v1' } },
      { name: 'batch', versions: [{ groupVersion: 'batch/v1' }] },
    ],
  },
  '/api/v1': {
    resources: [
      { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['get', 'list'] },
      { name: 'pods/log', kind: 'Pod', namespaced: true, verbs: ['get'] },
      { name: 'nodes', kind: 'Node', namespaced: false },
    ],
  },
  '/apis/apps/v1': { resources: [{ name: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['get'] }] },
  '/apis/batch/v1': {},
};

test('discover() gives every resource in the preferred version of its group, without subresources', async () => {
  const client = {
    raw: async (method: string, path: string, { accept }: { accept: string }) => {
      assert.deepEqual([method, accept], ['GET', 'application/json']);
      return JSON.stringify(documents[path] ?? assert.fail(path));
    },
  } as unknown as Client;
  assert.deepEqual(await discover(client), [
    { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, verbs: ['get', 'list'] },
    { group: '', version: 'v1', resource: 'nodes', kind: 'Node', namespaced: false, verbs: [] },
    { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['get'] },
  ]);
});

test('discover() takes a server of the core group alone', async () => {
  const client = { raw: async (_method: string, path: string) => (path === '/apis' ? '{}' : '{"resources":[]}') } as unknown as Client;
  assert.deepEqual(await discover(client), []);
});
