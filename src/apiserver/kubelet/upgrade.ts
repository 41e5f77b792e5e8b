/**
 * exec, attach and port-forward: a connection that leaves HTTP. The request is sent on to the kubelet as it is, then bytes are
 * piped both ways; whether they are WebSocket frames or SPDY is for the two ends to know.
 */
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Pod, PodExecOptions, PodPortForwardOptions } from '../../api/schema/types.ts';
import { onAbort } from '../../clock/aborted.ts';
import type { Log } from '../../observability/log.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { Aggregation } from '../aggregation/aggregation.ts';
import { type Admitted, attributesOf, type RequestAuth } from '../http/access.ts';
import { statusErrorOf } from '../http/reply.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import { badRequest, noSuchPath } from '../status/status-error.ts';
import { admitConnect, portQuery, streamQuery } from './connect-options.ts';
import { dialError, type KubeletClient, type Target } from './kubelet-client.ts';
import type { LogRequest } from './log.ts';
import { serveLogSocket } from './log-socket.ts';
import { containerOf, nodeOf } from './pod-container.ts';
import { proxyTarget } from './proxy-target.ts';

interface UpgradeDeps {
  readonly access: RequestAuth;
  /** Waits for the request's turn, and counts it until the connection closes. Throws 429. */
  begin(admitted: Admitted, socket: Duplex): Promise<void>;
  readonly resources: ResourceHandlers;
  readonly admission: AdmissionChain;
  readonly kubelets: KubeletClient;
  /** The way to who else serves a group's version. */
  readonly aggregation: Pick<Aggregation, 'dial'>;
  readonly log: Log;
  /** Aborts when the server closes: these connections are no longer known to its HTTP server. */
  readonly stop: AbortSignal;
}

/** Headers that belong to this hop or to the caller's credentials. */
const ownHeaders = new Set([
  'host',
  'authorization',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'expect',
  'cookie',
  'origin',
  'x-forwarded-for',
]);

export async function serveUpgrade(deps: UpgradeDeps, req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy());
  try {
    const admitted = await deps.access.identify(req);
    await deps.begin(admitted, socket);
    deps.access.authorize(admitted);
    const log = logRequest(deps, admitted);
    if (log) return await serveLogSocket(log, req, socket, head, deps.stop);
    const { target, path, plain, headers = {} } = await destination(deps, admitted, req.url ?? '');
    const upstream = plain ? await plain() : await deps.kubelets.connect(target);
    if (socket.destroyed) {
      upstream.destroy();
      return;
    }
    const end = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    const stopped = onAbort(deps.stop, end);
    upstream.on('error', end);
    socket.on('close', () => {
      stopped[Symbol.dispose]();
      upstream.destroy();
    });
    // What has come is still to be written, but nobody is there to read what the client says.
    upstream.on('close', () => socket.end(() => socket.destroy()));
    const { answer, first } = await ask(upstream, req, { target, path, headers });
    socket.write(responseHead(answer));
    if (answer.statusCode !== 101) {
      answer.on('end', () => socket.end()).on('error', end);
      answer.pipe(socket);
      return;
    }
    socket.write(first);
    upstream.write(head);
    upstream.pipe(socket);
    socket.pipe(upstream);
  } catch (err) {
    const { code, status } = statusErrorOf(err, deps.log, req.url ?? '');
    const body = JSON.stringify(status);
    socket.end(
      `HTTP/1.1 ${code} ${status.reason ?? 'Error'}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
}

function logRequest({ resources, kubelets }: UpgradeDeps, { info, query }: Admitted): LogRequest | undefined {
  const row = resources.registry.rowOf(info.group, info.version, info.resource);
  if (!row || info.group !== '' || info.resource !== 'pods' || info.subresource !== 'log' || info.verb !== 'get') return undefined;
  return { resources, kubelets, row, info, query };
}

interface Destination {
  readonly target: Target;
  readonly path: string;
  /** Set where the far end is no kubelet. */
  readonly plain?: (() => Promise<Duplex>) | undefined;
  /** Added to those of the request. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

async function destination(deps: UpgradeDeps, { info, query, user }: Admitted, url: string): Promise<Destination> {
  const row = info.isResource ? deps.resources.registry.rowOf(info.group, info.version, info.resource) : undefined;
  const remote = row ? undefined : await deps.aggregation.dial({ info, user });
  if (remote) return { ...remote, path: url };
  if (!row) throw noSuchPath();
  const { namespace, name, subresource } = info;
  if (subresource === 'proxy') {
    await admitConnect(deps.admission, { row, info, query, user });
    return proxyTarget(deps.resources, deps.kubelets, row, info, url);
  }
  if (info.resource !== 'pods' || !['exec', 'attach', 'portforward'].includes(subresource))
    throw badRequest('this path cannot be upgraded');
  // A WebSocket begins with a GET, and to run a command is no reading (KEP-4006, 1.35).
  if (info.verb !== 'create') deps.access.check({ ...attributesOf(user, info, query), verb: 'create' });
  const pod = (await deps.resources.read(row, namespace, name)) as Pod;
  const options: PodExecOptions & PodPortForwardOptions = (await admitConnect(deps.admission, { row, info, query, user })) as object;
  const target = await deps.kubelets.target(nodeOf(pod));
  const at = `${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
  if (subresource === 'portforward') return { target, path: `/portForward/${at}${portQuery(options)}` };
  const container = containerOf(pod, options.container ?? null);
  return { target, path: `/${subresource}/${at}/${encodeURIComponent(container)}?${streamQuery(options)}` };
}

/**
 * Sends the request and reads the head of the answer. Only behind a 101 does the connection belong to the client: behind any other
 * answer its next bytes would be a request of their own, made with this server's certificate (CVE-2018-1002105).
 */
function ask(upstream: Duplex, req: IncomingMessage, to: Destination): Promise<{ answer: IncomingMessage; first: Buffer }> {
  const { target, path } = to;
  const headers = requestHeaders(req, to);
  return new Promise((resolve, reject) => {
    const asked = request({ method: req.method, path, headers, createConnection: () => upstream });
    asked.on('upgrade', (answer, _socket, first) => resolve({ answer, first }));
    asked.on('response', (answer) => resolve({ answer, first: Buffer.alloc(0) }));
    asked.on('error', (err) => reject(dialError(target, err)));
    asked.end();
  });
}

/** Names and values in turn: a name may stand several times. */
function requestHeaders(req: IncomingMessage, { target, headers: more = {} }: Destination): string[] {
  const headers = ['host', `${target.host}:${target.port}`];
  for (const [name, values] of Object.entries(more)) for (const value of [values].flat()) headers.push(name, value);
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i]!;
    const lower = name.toLowerCase();
    if (!ownHeaders.has(lower) && !/^(impersonate|x-remote)-/.test(lower)) headers.push(name, withoutToken(lower, req.rawHeaders[i + 1]!));
  }
  if (req.method === 'POST') headers.push('content-length', '0');
  return headers;
}

function responseHead(answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? ''}`];
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = answer.rawHeaders.slice(i, i + 2);
    // The body comes as it was before it was cut into chunks, and its end is the connection's.
    if (answer.statusCode === 101 || !['connection', 'transfer-encoding', 'keep-alive'].includes(name.toLowerCase()))
      lines.push(`${name}: ${value}`);
  }
  if (answer.statusCode !== 101) lines.push('connection: close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A browser carries its token as a WebSocket subprotocol: not for the kubelet's eyes. */
function withoutToken(name: string, value: string): string {
  if (name !== 'sec-websocket-protocol') return value;
  return value
    .split(',')
    .map((p) => p.trim())
    .filter((p) => !p.startsWith('base64url.bearer.authorization.k8s.io.'))
    .join(', ');
}
