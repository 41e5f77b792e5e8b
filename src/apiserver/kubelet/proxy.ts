/** `nodes/proxy`, `pods/proxy`, `services/proxy`: plain HTTP through the API server. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '../http/request-context.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { dialError, type KubeletClient } from './kubelet-client.ts';
import { type ProxyTarget, proxyTarget } from './proxy-target.ts';

/** Not passed on: what is about this hop, and the caller's credentials. */
const hopHeaders = new Set([
  'host',
  'authorization',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
]);

export function proxyHandler(resources: ResourceHandlers, kubelets: KubeletClient): Handler {
  return async (ctx, row) => {
    const found = await proxyTarget(resources, kubelets, row, ctx.info, ctx.query);
    const stop = new AbortController();
    ctx.res.once('close', () => stop.abort());
    const headers = forwarded(ctx);
    const method = ctx.req.method ?? 'GET';
    const answer = found.plain
      ? await ask(found, method, headers, ctx.body, stop.signal)
      : await kubelets.request(found.target, method, found.path, headers, ctx.body, stop.signal);
    const back: Record<string, string | string[]> = {};
    for (const [key, value] of Object.entries(answer.headers)) if (value !== undefined && !isHop(key)) back[key] = value;
    ctx.res.writeHead(answer.statusCode ?? 502, back);
    await pipeline(answer, ctx.res).catch(() => {});
  };
}

function isHop(name: string): boolean {
  return name !== 'content-length' && hopHeaders.has(name);
}

function forwarded(ctx: RequestContext): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(ctx.req.headers)) {
    if (value !== undefined && !hopHeaders.has(key) && !key.startsWith('impersonate-')) out[key] = value;
  }
  if (ctx.body.length > 0) out['content-length'] = String(ctx.body.length);
  return out;
}

function ask(
  found: ProxyTarget,
  method: string,
  headers: Record<string, string | string[]>,
  body: Buffer,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port } = found.target;
    const options = { host, port, method, path: found.path, headers, signal, agent: false as const };
    const req = found.tls ? httpsRequest({ ...options, rejectUnauthorized: false }, resolve) : httpRequest(options, resolve);
    req.on('error', (err) => reject(dialError(found.target, err)));
    req.end(body.length > 0 ? body : undefined);
  });
}
