/** A request for a version that another server serves, passed on to it in the name of who asked. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../errors/known-error.ts';
import { sendText } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { ServiceClient } from '../service-client/service-client.ts';
import type { Remote } from './aggregation.ts';
import { isPassedOn, remoteUser } from './remote-user.ts';

export async function passOn(client: ServiceClient, remote: Remote, available: boolean, ctx: RequestContext): Promise<void> {
  const { res } = ctx;
  // In upstream's words, which clients read as a Status of their own.
  if (!available) return sendText(res, 503, 'service unavailable\n');
  const stop = new AbortController();
  // Its turn, its connection, the metrics and the pipeline listen, each once: more than the ten at which Node.js begins to warn of a leak.
  res.setMaxListeners(20);
  res.once('close', () => stop.abort());
  let answer: IncomingMessage;
  try {
    answer = await ask(client, remote, ctx, stop.signal);
  } catch (err) {
    if (!res.destroyed) sendText(res, 503, `error trying to reach service: ${messageOf(err)}\n`);
    return;
  }
  const { 'content-length': length, ...headers } = answer.headers;
  res.writeHead(answer.statusCode ?? 502, { ...passedOn(headers), ...(length === undefined ? {} : { 'content-length': length }) });
  // A watch has begun before anything happens.
  res.flushHeaders();
  await pipeline(answer, res).catch(() => {});
}

async function ask(
  client: ServiceClient,
  remote: Remote,
  { req, body, user }: RequestContext,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { method = 'GET', url = '/' } = req;
  const to = await client.destination(remote.service, remote.tls);
  const headers = { ...passedOn(req.headers), ...remoteUser(user) };
  const hasBody = body.length > 0 || ['POST', 'PUT', 'PATCH'].includes(method);
  const repeatable = method === 'GET' || method === 'HEAD';
  return client.request(to, { method, path: url, headers, body: hasBody ? body : undefined, repeatable }, signal);
}

function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && isPassedOn(name)));
}
