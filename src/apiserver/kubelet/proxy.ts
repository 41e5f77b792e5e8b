/** `nodes/proxy`, `pods/proxy`, `services/proxy`: plain HTTP through the API server. */
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '../http/request-context.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { dialError, type KubeletClient } from './kubelet-client.ts';
import { type ProxyPlace, rewriteHtml, rewriteUrl } from './proxy-rewrite.ts';
import { type ProxyTarget, proxyTarget } from './proxy-target.ts';

/** A longer page is passed on with its links as they are: it is read into memory to be changed. */
const maxHtmlBytes = 4 << 20;

/** Not passed on: what is about this hop, the caller's credentials, and compression, in which no link could be found. */
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
  'accept-encoding',
]);

export function proxyHandler(resources: ResourceHandlers, kubelets: KubeletClient): Handler {
  return async (ctx, row) => {
    const { info, req } = ctx;
    const url = req.url ?? '';
    const stop = new AbortController();
    ctx.res.once('close', () => stop.abort());
    const found = await proxyTarget(resources, kubelets, row, info, url);
    const method = req.method ?? 'GET';
    if (!info.rest && !info.path.endsWith('/') && (method === 'GET' || method === 'HEAD')) {
      // Relative links of the page would else lead beside the proxy.
      const location = `${info.path}/${url.slice(info.path.length)}`;
      ctx.res.writeHead(301, { location, 'content-length': 0 }).end();
      return;
    }
    const { host, port } = found.target;
    const place = { prefix: prefixOf(info), hosts: [`${host}:${port}`, host, req.headers.host ?? ''] };
    const headers = { ...forwarded(ctx), 'x-forwarded-uri': place.prefix + found.path.replace(/\?.*/s, '') };
    const answer = found.plain
      ? await ask(found, method, { ...headers, host: req.headers.host ?? host }, ctx.body, stop.signal)
      : await kubelets.request(found.target, method, found.path, headers, ctx.body, stop.signal);
    const back: OutgoingHttpHeaders = {};
    for (const [key, value] of Object.entries(answer.headers)) if (value !== undefined && !isHop(key)) back[key] = value;
    if (answer.headers.location) back.location = rewriteUrl(answer.headers.location, place);
    else if (isHtml(answer)) return sendHtml(ctx, answer, back, place);
    ctx.res.writeHead(answer.statusCode ?? 502, back);
    await pipeline(answer, ctx.res).catch(() => {});
  };
}

/** The name has been found, so that nothing in it needs an escape. */
function prefixOf({ namespace, resource, name }: RequestInfo): string {
  return `/api/v1/${namespace ? `namespaces/${namespace}/` : ''}${resource}/${name}/proxy`;
}

function isHtml({ headers }: IncomingMessage): boolean {
  return /^\s*text\/html\s*(;|$)/.test(headers['content-type'] ?? '') && !headers['content-encoding'];
}

async function sendHtml(ctx: RequestContext, answer: IncomingMessage, headers: OutgoingHttpHeaders, place: ProxyPlace): Promise<void> {
  const { 'content-length': _length, ...rest } = headers;
  const read: Buffer[] = [];
  let size = 0;
  // Latin 1 gives every byte back as it was, whatever the page is written in; tags are ASCII in all of that.
  const changed = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (size > maxHtmlBytes) yield chunk;
      else {
        read.push(chunk);
        size += chunk.length;
        if (size > maxHtmlBytes) yield* read;
      }
    }
    if (size <= maxHtmlBytes) yield Buffer.from(rewriteHtml(Buffer.concat(read).toString('latin1'), place), 'latin1');
  };
  ctx.res.writeHead(answer.statusCode ?? 502, rest);
  await pipeline(changed, ctx.res).catch(() => {});
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
