import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { RequestContext } from '../http/request-context.ts';
import { serveWatch, type WatchDeps } from './watch.ts';

const registry = new Registry();

test('serveWatch() starts no timers for a client that has gone', async () => {
  const timers: number[] = [];
  const deps = {
    objects: { cache: () => ({ range: () => [], listen: () => () => {} }), prefix: () => '/pods/' },
    feed: { revision: 5 },
    clock: { now: () => 0, after: (ms: number) => timers.push(ms) },
    stop: new AbortController().signal,
  } as unknown as WatchDeps;
  const nothing = (): void => {};
  const res = { destroyed: true, writeHead: nothing, flushHeaders: nothing, on: nothing, once: nothing };
  const ctx = { req: { headers: {} }, res, query: new URLSearchParams() } as unknown as RequestContext;
  const options = { resourceVersion: 5, allowBookmarks: true } as Parameters<typeof serveWatch>[4];
  await serveWatch(deps, ctx, registry.rowOf('', 'v1', 'pods')!, '', options);
  assert.deepEqual(timers, []);
});
