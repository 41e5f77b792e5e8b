/** `pods/log`: the kubelet's stream, passed on as it comes. */
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { Pod } from '../../api/schema/types.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import type { Handler } from '../router.ts';
import { badRequest, methodNotAllowed, StatusError } from '../status/status-error.ts';
import type { KubeletClient } from './kubelet-client.ts';
import { containerOf } from './pod-container.ts';

/** PodLogOptions that the kubelet takes under the same names. */
const passed = ['follow', 'previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream'];

export function logHandler(resources: ResourceHandlers, kubelets: KubeletClient): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'get') throw methodNotAllowed();
    const stop = new AbortController();
    ctx.res.once('close', () => stop.abort());
    const answer = await openLog({ resources, kubelets, row, info: ctx.info, query: ctx.query }, stop.signal);
    if (!answer) {
      ctx.res.writeHead(204).end();
      return;
    }
    ctx.res.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
    ctx.res.flushHeaders();
    // Either side may end a log in the middle of it; there is nobody left to tell.
    await pipeline(answer, ctx.res).catch(() => {});
  };
}

export interface LogRequest {
  readonly resources: ResourceHandlers;
  readonly kubelets: KubeletClient;
  readonly row: ResourceRow;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
}

/** The kubelet's stream; ends when the signal aborts. Undefined while the pod has no node. Throws what the kubelet refuses with. */
export async function openLog(
  { resources, kubelets, row, info, query: asked }: LogRequest,
  signal: AbortSignal,
): Promise<IncomingMessage | undefined> {
  const { namespace, name } = info;
  const pod = (await resources.read(row, namespace, name)) as Pod;
  const container = containerOf(pod, asked.get('container'));
  checkNumbers(asked);
  const query = new URLSearchParams();
  for (const key of passed) {
    const value = asked.get(key);
    if (value !== null) query.set(key, value);
  }
  if (!pod.spec?.nodeName) return undefined;
  const target = await kubelets.target(pod.spec.nodeName);
  const path = `/containerLogs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/${encodeURIComponent(container)}?${query}`;
  const answer = await kubelets.request(target, 'GET', path, {}, Buffer.alloc(0), signal);
  if (answer.statusCode !== 200) throw await refusal(answer);
  return answer;
}

function checkNumbers(query: URLSearchParams): void {
  for (const key of ['sinceSeconds', 'tailLines', 'limitBytes']) {
    const value = query.get(key);
    if (value !== null && !/^\d{1,15}$/.test(value))
      throw badRequest(`${key}: Invalid value: ${JSON.stringify(value)}: must be greater than or equal to 0`);
  }
  if (query.has('sinceSeconds') && query.has('sinceTime')) throw badRequest('at most one of sinceTime or sinceSeconds may be specified');
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
