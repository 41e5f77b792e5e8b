/** `pods/log`: the kubelet's stream, passed on as it comes. */
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Pod } from '../../api/schema/types.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { badRequest, methodNotAllowed, StatusError } from '../status/status-error.ts';
import type { KubeletClient } from './kubelet-client.ts';
import { containerOf, nodeOf } from './pod-container.ts';

/** PodLogOptions that the kubelet takes under the same names. */
const passed = ['follow', 'previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream'];

export function logHandler(resources: ResourceHandlers, kubelets: KubeletClient): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'get') throw methodNotAllowed();
    const { namespace, name } = ctx.info;
    const pod = (await resources.read(row, namespace, name)) as Pod;
    const container = containerOf(pod, ctx.query.get('container'));
    checkNumbers(ctx.query);
    const query = new URLSearchParams();
    for (const key of passed) {
      const value = ctx.query.get(key);
      if (value !== null) query.set(key, value);
    }
    const target = await kubelets.target(nodeOf(pod));
    const path = `/containerLogs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/${encodeURIComponent(container)}?${query}`;
    await passOn(ctx, (signal) => kubelets.request(target, 'GET', path, {}, Buffer.alloc(0), signal));
  };
}

function checkNumbers(query: URLSearchParams): void {
  for (const key of ['sinceSeconds', 'tailLines', 'limitBytes']) {
    const value = query.get(key);
    if (value !== null && !/^\d{1,15}$/.test(value))
      throw badRequest(`${key}: Invalid value: ${JSON.stringify(value)}: must be greater than or equal to 0`);
  }
  if (query.has('sinceSeconds') && query.has('sinceTime')) throw badRequest('at most one of sinceTime or sinceSeconds may be specified');
}

/** Writes the answer to the client; ends the request to the kubelet when the client goes. */
async function passOn(ctx: RequestContext, ask: (signal: AbortSignal) => Promise<IncomingMessage>): Promise<void> {
  const stop = new AbortController();
  ctx.res.once('close', () => stop.abort());
  const answer = await ask(stop.signal);
  if (answer.statusCode !== 200) throw await refusal(answer);
  ctx.res.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
  ctx.res.flushHeaders();
  // Either side may end a log in the middle of it; there is nobody left to tell.
  await pipeline(answer, ctx.res).catch(() => {});
}

/** What a kubelet says when it refuses is plain text, or a Status already. */
export async function refusal(answer: IncomingMessage): Promise<StatusError> {
  let text = '';
  for await (const chunk of answer) if (text.length < 65_536) text += String(chunk);
  const code = answer.statusCode ?? 500;
  try {
    const status = JSON.parse(text) as { kind?: string };
    if (status.kind === 'Status') return StatusError.of(status as Parameters<typeof StatusError.of>[0]);
  } catch {
    // Plain text.
  }
  const reason = code === 404 ? 'NotFound' : code === 400 ? 'BadRequest' : code === 403 ? 'Forbidden' : 'InternalError';
  return new StatusError(code >= 400 ? code : 500, reason, text.trim() || `the kubelet answered with ${code}`);
}
