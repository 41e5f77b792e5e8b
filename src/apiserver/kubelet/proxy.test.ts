import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { AdmissionChain } from '../admission/admission.ts';
import type { RequestContext } from '../http/request-context.ts';
import { requestInfo } from '../http/request-info.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { KubeletClient } from './kubelet-client.ts';
import { proxyHandler } from './proxy.ts';

const registry = new Registry();

test('proxyHandler() asks nothing for a client that has gone while the target was looked up', async () => {
  const res = new EventEmitter();
  let aborted: boolean | undefined;
  const kubelets = {
    target: async () => {
      res.emit('close');
      return { name: 'n1', host: '192.0.2.1', port: 10250 };
    },
    request: async (...[, , , , , signal]: Parameters<KubeletClient['request']>) => {
      aborted = signal?.aborted;
      throw new Error('stopped');
    },
  } as unknown as KubeletClient;
  const url = '/api/v1/nodes/n1/proxy/metrics';
  const info = requestInfo('GET', url, new URLSearchParams());
  const req = { url, method: 'GET', headers: {}, rawHeaders: [], headersDistinct: {}, socket: {} };
  const ctx = { req, res, info, query: new URLSearchParams(), body: Buffer.alloc(0), user: { name: 'a', groups: [] } };
  const handle = proxyHandler({ resources: {} as ResourceHandlers, kubelets, admission: new AdmissionChain([]) });
  await assert.rejects(async () => handle(ctx as unknown as RequestContext, registry.rowOf('', 'v1', 'nodes')!), /stopped/);
  assert.equal(aborted, true);
});
