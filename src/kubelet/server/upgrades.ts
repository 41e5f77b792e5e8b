/**
 * Requests that leave HTTP: exec, attach and port-forward. Clients that speak SPDY are piped to the runtime's streaming server byte for
 * byte; WebSocket clients are translated, or, for port-forward, have their SPDY bytes taken out of the frames. Those of client-python and
 * client-node, whose channels are ports, are piped too.
 */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { HttpError } from './http-error.ts';
import type { PodLookup } from './pod-lookup.ts';
import { commandProtocols, serveCommand } from './remote-command.ts';
import { upgradeToSpdy } from './spdy-client.ts';
import { joinTunnel } from './tunnel.ts';

const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

export interface UpgradesOptions {
  readonly cri: Cri;
  readonly pods: PodLookup;
  readonly log: Log;
}

export class Upgrades {
  readonly #options: UpgradesOptions;
  /** Of all requests that have left HTTP: its server no longer knows them, and waits for them all the same when it closes. */
  readonly #connections = new Set<Duplex>();
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 64 << 20,
    handleProtocols: (offered) => commandProtocols.find((p) => offered.has(p)) ?? false,
  });
  readonly #tunnels = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 << 20 });

  constructor(options: UpgradesOptions) {
    this.#options = options;
    this.#tunnels.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${tunnelProtocol}`));
  }

  /** Rejects with the reason for which the request is refused; nothing has been answered then. */
  async serve(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    const url = new URL(req.url ?? '/', 'http://kubelet');
    const [verb = '', namespace = '', name = '', ...rest] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    const query = url.searchParams;
    const kind = req.headers.upgrade?.toLowerCase() ?? '';
    if (verb === 'portForward') return this.#portForward(req, socket, head, kind, namespace, name, query);
    if (verb !== 'exec' && verb !== 'attach') throw new HttpError(404, 'not found');
    const container = rest.at(-1) ?? '';
    const containerId = this.#options.pods.runningContainer(namespace, name, container);
    const on = (...keys: string[]): boolean => keys.some((key) => query.get(key) === '1' || query.get(key) === 'true');
    const tty = on('tty');
    const streams = { stdin: on('input', 'stdin'), stdout: on('output', 'stdout'), stderr: on('error', 'stderr') && !tty, tty };
    if (!streams.stdin && !streams.stdout && !streams.stderr)
      throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
    const address =
      verb === 'exec'
        ? await this.#options.cri.exec({ containerId, cmd: query.getAll('command'), ...streams })
        : await this.#options.cri.attach({ containerId, ...streams });
    if (kind !== 'websocket') return pipe(req, socket, head, new URL(address));
    this.#sockets.handleUpgrade(req, socket, head, (ws) => {
      serveCommand(ws, address, streams).catch((err) => {
        this.#options.log.warn(`Cannot ${verb} in pod "${namespace}/${name}": ${messageOf(err)}`);
        ws.close(1011, messageOf(err).slice(0, 120));
      });
    });
  }

  async #portForward(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    kind: string,
    namespace: string,
    name: string,
    query: URLSearchParams,
  ): Promise<void> {
    const podSandboxId = this.#options.pods.sandbox(namespace, name);
    const ports = query.getAll('port').flatMap((p) => p.split(',').map(Number));
    if (ports.some((p) => !Number.isInteger(p) || p < 1 || p > 65_535))
      throw new HttpError(400, `invalid ports ${JSON.stringify(query.getAll('port'))}`);
    const offered = req.headers['sec-websocket-protocol']?.split(',').map((p) => p.trim());
    const isChannels = kind === 'websocket' && !offered?.includes(tunnelProtocol);
    if (isChannels && ports.length === 0) throw new HttpError(400, 'query parameter "port" is required');
    const address = new URL(await this.#options.cri.portForward({ podSandboxId, port: ports }));
    // Two channels for each port (v4.channel.k8s.io, and base64 for browsers): the runtime's server speaks that itself.
    for (const port of isChannels ? ports : []) address.searchParams.append('port', String(port));
    if (kind !== 'websocket' || isChannels) return pipe(req, socket, head, address);
    const runtime = await upgradeToSpdy(address, 'portforward.k8s.io');
    // A handshake that fails answers by itself and calls nobody.
    socket.once('close', () => runtime.socket.destroy());
    if (socket.destroyed) runtime.socket.destroy();
    // A slash may not stand in a subprotocol (RFC 6455, 4.1); the library holds Kubernetes to that, so it is agreed on beside the library.
    delete req.headers['sec-websocket-protocol'];
    this.#tunnels.handleUpgrade(req, socket, head, (ws) => joinTunnel(ws, runtime.socket, runtime.head));
  }

  close(): void {
    for (const socket of this.#connections) socket.destroy();
    this.#sockets.close();
    this.#tunnels.close();
  }
}

/** The client's request, sent on to the streaming server under its own path; then bytes both ways. */
function pipe(req: IncomingMessage, socket: Duplex, head: Buffer, to: URL): void {
  const lines = [`${req.method} ${to.pathname}${to.search} HTTP/1.1`, `Host: ${to.host}`];
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] ?? '';
    if (!['host', 'authorization'].includes(name.toLowerCase())) lines.push(`${name}: ${req.rawHeaders[i + 1]}`);
  }
  const runtime = connect({ host: to.hostname, port: Number(to.port) });
  runtime.setNoDelay(true);
  runtime.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) runtime.write(head);
  runtime.on('error', () => socket.destroy());
  socket.on('error', () => runtime.destroy());
  runtime.on('close', () => socket.end());
  socket.on('close', () => runtime.destroy());
  runtime.pipe(socket);
  socket.pipe(runtime);
}
