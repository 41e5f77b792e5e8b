import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import { ApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { InformerSet } from '../../client/informers.ts';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { ControllerContext } from '../context.ts';
import { runGarbageCollector } from './controller.ts';

interface Handlers {
  add(object: KubeObject): void;
}

test('garbage collector drops the orphan finalizer although a status was written meanwhile', async () => {
  const stop = new AbortController();
  const conflict = new ApiError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    code: 409,
    reason: 'Conflict',
    message: 'the object has been modified',
  });
  let conflicts = 2;
  const dropped = Promise.withResolvers<object>();
  const api = {
    // Both of discovery's documents in one.
    raw: async () =>
      JSON.stringify({
        groups: [],
        resources: [{ name: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['list', 'watch', 'delete'] }],
      }),
    patch: async (_type: unknown, _name: string, patch: object) => {
      // The news of that status is the same to the graph, so no event puts the key back.
      if (conflicts-- > 0) throw conflict;
      dropped.resolve(patch);
    },
  };
  const metadata = { name: 'web', namespace: 'default', uid: '1', resourceVersion: '5', deletionTimestamp: '2026-01-01T00:00:00Z' };
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...metadata, finalizers: ['orphan'] } };
  const informer = { on: (handlers: Handlers) => handlers.add(owner), synced: Promise.resolve() };
  const context = {
    client: api as unknown as Client,
    informers: { of: () => informer } as unknown as InformerSet,
    clock: systemClock,
    log: silentLog,
    signal: stop.signal,
  } as ControllerContext;
  const running = runGarbageCollector(context);
  assert.deepEqual(await dropped.promise, { metadata: { uid: '1', resourceVersion: '5', finalizers: null } });
  stop.abort();
  await running;
});
