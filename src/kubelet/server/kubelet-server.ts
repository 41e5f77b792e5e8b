/** The kubelet's HTTPS server (10250): logs, exec, attach, port-forward, health and statistics, for those who may. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { type Cri, isMissing } from '../cri/cri.ts';
import type { Access } from './access.ts';
import { HttpError } from './http-error.ts';
import { streamLog } from './log-stream.ts';
import { serveNodeLogs } from './node-logs.ts';
import type { PodLookup } from './pod-lookup.ts';
import { RotatedFile } from './rotated-file.ts';
import { resourceMetrics, statsSummary } from './stats.ts';
import { Upgrades } from './upgrades.ts';

export interface KubeletServerOptions {
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly port: number;
  readonly nodeName: string;
  readonly access: Access;
  readonly pods: PodLookup;
  readonly cri: Cri;
  readonly log: Log;
  /** The node's own logs, served below `/logs/`. */
  readonly logDir: string;
  /** Why the kubelet is not well, or undefined. */
  readonly problem: () => string | undefined;
}

export interface KubeletServer {
  readonly port: number;
  /** For connections that begin from now on. Throws when the two do not belong together. */
  renew(tls: KubeletServerOptions['tls']): void;
  close(): Promise<void>;
}

/** Throws PORT_TAKEN when somebody listens there already. */
export async function serveKubelet(options: KubeletServerOptions): Promise<KubeletServer> {
  const { tls, access, log } = options;
  const upgrades = new Upgrades(options);
  // A token may stand in for a certificate; who has neither is turned away below.
  const server = createServer({ ...secure(tls), requestCert: true, rejectUnauthorized: false });
  server.on('request', (req, res) => {
    access
      .check(req)
      .then(() => handle(options, req, res))
      .catch((err) => refuse(res, err));
  });
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy());
    access
      .check(req)
      .then(() => upgrades.serve(req, socket, head))
      .catch((err) => refuseUpgrade(socket, err, log));
  });
  server.on('tlsClientError', (err) => log.debug(`A client of the kubelet's server failed its handshake: ${err.message}`));
  await listen(server, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    renew: (next) => server.setSecureContext(secure(next)),
    close: async () => {
      upgrades.close();
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => {});
    },
  };
}

function secure({ cert, key, clientCa }: KubeletServerOptions['tls']): SecureContextOptions {
  return { cert, key, ca: clientCa, minVersion: 'TLSv1.2' };
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    server.listen(port);
    await once(server, 'listening');
  } catch (err) {
    if (systemCode(err) !== 'EADDRINUSE') throw err;
    throw new KnownError('PORT_TAKEN', `Cannot serve the kubelet's API on port ${port}: another program listens there`, {
      hint: 'End the other kubelet, or choose another port',
      cause: err,
    });
  }
}

function codeOf(err: unknown): number {
  if (err instanceof HttpError) return err.code;
  // A path or target that cannot be read.
  if (err instanceof URIError || systemCode(err) === 'ERR_INVALID_URL') return 400;
  return isMissing(err) ? 404 : 500;
}

function refuse(res: ServerResponse, err: unknown): void {
  if (res.headersSent) res.destroy();
  else res.writeHead(codeOf(err), { 'content-type': 'text/plain; charset=utf-8' }).end(`${messageOf(err)}\n`);
}

function refuseUpgrade(socket: Duplex, err: unknown, log: Log): void {
  const body = `${messageOf(err)}\n`;
  const code = codeOf(err);
  if (code >= 500) log.warn(`Cannot serve a stream: ${messageOf(err)}`);
  socket.end(
    `HTTP/1.1 ${code} Refused\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function handle(options: KubeletServerOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? '/', 'http://kubelet');
  const [first = '', ...rest] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const { cri, pods, nodeName, problem } = options;
  const text = (body: string, type = 'text/plain; charset=utf-8'): void => void res.writeHead(200, { 'content-type': type }).end(body);
  const json = (body: object): void => text(JSON.stringify(body), 'application/json');
  switch (first) {
    case 'healthz': {
      const why = problem();
      if (why !== undefined) throw new HttpError(500, why);
      return text('ok');
    }
    case 'pods':
    case 'runningpods':
      return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.list() });
    case 'containerLogs':
      return serveLog(pods, rest, url.searchParams, res);
    case 'logs':
      return serveNodeLogs(options.logDir, rest, req, res);
    case 'run':
      return text(await run(options, rest, url.searchParams));
    case 'stats':
      return json(await statsSummary(cri, pods.list(), nodeName));
    case 'metrics':
      return text(
        rest[0] === 'resource'
          ? await resourceMetrics(cri)
          : `# TYPE kubelet_running_pods gauge\nkubelet_running_pods ${pods.list().length}\n`,
        'text/plain; version=0.0.4',
      );
    case 'exec':
    case 'attach':
    case 'portForward':
      throw new HttpError(400, 'Upgrade request required');
    default:
      throw new HttpError(404, '404 page not found');
  }
}

/** The old way to run a command and read what it said. */
async function run({ pods, cri }: KubeletServerOptions, path: readonly string[], query: URLSearchParams): Promise<string> {
  const [namespace = '', name = ''] = path;
  const id = pods.runningContainer(namespace, name, path.at(-1) ?? '');
  const { stdout, stderr, exitCode } = await cri.execSync(id, (query.get('cmd') ?? '').split(' '), 0);
  const said = Buffer.concat([stdout, stderr]).toString();
  if (exitCode !== 0) throw new HttpError(500, `${said}command ended with exit code ${exitCode}`);
  return said;
}

async function serveLog(
  pods: PodLookup,
  [namespace = '', name = '', container = '']: readonly string[],
  query: URLSearchParams,
  res: ServerResponse,
): Promise<void> {
  const { record, isRunning } = pods.log(namespace, name, container, query.get('previous') === 'true');
  const number = (key: string): number | undefined => (query.has(key) ? Number(query.get(key)) : undefined);
  const seconds = number('sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const stream = query.get('stream');
  const options = {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    limitBytes: number('limitBytes'),
    since: seconds !== undefined ? Date.now() - seconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined,
    stream: stream === null || stream === 'All' ? undefined : stream,
  };
  await using file = await RotatedFile.open(record.logPath, number('tailLines')).catch((err: unknown) => {
    throw new HttpError(400, messageOf(err));
  });
  const gone = new AbortController();
  res.on('close', () => gone.abort());
  res.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  res.flushHeaders();
  const write = async (bytes: Buffer): Promise<void> => {
    if (!res.write(bytes) && !gone.signal.aborted) await once(res, 'drain', { signal: gone.signal }).catch(() => {});
  };
  await streamLog({ file, isRunning }, options, write, gone.signal);
  res.end();
}
