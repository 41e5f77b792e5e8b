/** `nodes/proxy`, `pods/proxy`, `services/proxy`: plain HTTP through the API server. */
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { AdmissionChain } from '../admission/admission.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { admitConnect } from './connect-options.ts';
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

interface ProxyDeps {
  readonly resources: ResourceHandlers;
  readonly kubelets: KubeletClient;
  readonly admission: AdmissionChain;
}

export function proxyHandler({ resources, kubelets, admission }: ProxyDeps): Handler {
  return async (ctx, row) => {
    const { info, req, res } = ctx;
    const stop = new AbortController();
    res.once('close', () => stop.abort());
    await admitConnect(admission, { ...ctx, row });
    const found = await proxyTarget(resources, kubelets, row, info, req.url ?? '');
    const location = withSlash(ctx);
    if (location !== undefined) {
      res.writeHead(301, { location, 'content-length': 0 }).end();
      return;
    }
    const { host, port } = found.target;
    const place = { prefix: prefixOf(info), hosts: [`${host}:${port}`, host, req.headers.host ?? ''] };
    await sendBack(ctx, await passOn(ctx, kubelets, found, place.prefix, stop.signal), place);
  };
}

/** Where a page that was asked for without a slash at its end is: relative links of it would else lead beside the proxy. */
function withSlash({ info, req }: RequestContext): string | undefined {
  if (info.rest || info.path.endsWith('/') || (req.method !== 'GET' && req.method !== 'HEAD')) return undefined;
  return `${info.path}/${(req.url ?? '').slice(info.path.length)}`;
}

function passOn(
  ctx: RequestContext,
  kubelets: KubeletClient,
  found: ProxyTarget,
  prefix: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { method = 'GET', headers } = ctx.req;
  const sent = { ...forwarded(ctx), 'x-forwarded-uri': prefix + found.path.replace(/\?.*/s, '') };
  if (!found.plain) return kubelets.request(found.target, method, found.path, sent, ctx.body, signal);
  return ask(found, method, { ...sent, host: headers.host ?? found.target.host }, ctx.body, signal);
}

async function sendBack(ctx: RequestContext, answer: IncomingMessage, place: ProxyPlace): Promise<void> {
  const headers: OutgoingHttpHeaders = {};
  for (const [key, value] of Object.entries(answer.headers)) if (value !== undefined && !isHop(key)) headers[key] = value;
  if (answer.headers.location) headers.location = rewriteUrl(answer.headers.location, place);
  else if (isHtml(answer)) return sendHtml(ctx, answer, headers, place);
  ctx.res.writeHead(answer.statusCode ?? 502, headers);
  await pipeline(answer, ctx.res).catch(() => {});
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
    if (value !== undefined && !hopHeaders.has(key) && !/^(:|impersonate-)/.test(key)) out[key] = value;
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
