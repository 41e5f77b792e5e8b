/** HTTPS by fastify: who asks, may they, the body within its limit, and then the router. Answers are written raw. */
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../../clock/clock.ts';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import { joinHostPort } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import { withIssuers } from '../../x509/chain.ts';
import { anonymous } from '../auth/user-info.ts';
import type { FlowControl } from '../flow/flow-control.ts';
import { flowOf, isLongRunning, isPaced } from '../flow/levels.ts';
import { Pace } from '../flow/pace.ts';
import { refuseGone, Turn } from '../flow/turn.ts';
import { type Work, widthOf } from '../flow/width.ts';
import { badRequest, bodyTooLarge, StatusError, unauthorized } from '../status/status-error.ts';
import type { Admitted, RequestAuth } from './access.ts';
import { maxBodyBytes } from './body.ts';
import { BodyDecoder } from './body-decoder.ts';
import { type ConnectionLimits, Connections } from './connections.ts';
import { Handshakes } from './handshakes.ts';
import { endHttp2 } from './http2-exchange.ts';
import { Http2Sessions } from './http2-sessions.ts';
import { notAllowed, refusalOf, refuse } from './refusal.ts';
import { sendError, setWarnings } from './reply.ts';
import type { RequestContext } from './request-context.ts';
import { checkHead, checkMethod, maxHeaderSize, maxHeaders } from './request-head.ts';
import type { RequestInfo } from './request-info.ts';
import { StalledAnswers } from './stalled-answers.ts';

interface HttpOptions {
  /** As Go's servers do, `0.0.0.0` takes in IPv6, too, as `::` takes in IPv4. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly clientCa: string | Buffer };
  readonly access: Pick<RequestAuth, 'identify' | 'authorize'>;
  readonly flow: FlowControl;
  readonly clock: Clock;
  readonly log: Log;
  serve(ctx: RequestContext): Promise<void>;
  /** A request with `Upgrade`: the handler owns the socket. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly connections?: ConnectionLimits;
  /** Requests that one connection of HTTP/2 may have under way; 0 for HTTP/1.1 alone. */
  readonly http2MaxStreams: number;
  /** How likely a request of HTTP/2 is to be the last of its connection. */
  readonly goawayChance: number;
  /** What a request has to do with. */
  workOf(admitted: Admitted): Work;
  /** Told of every request that has ended. */
  observe(ended: { readonly info: RequestInfo | undefined; readonly code: number; readonly seconds: number }): void;
}

/** A request whose body is still to come. */
interface Begun {
  readonly known: Admitted;
  readonly turn: Turn | undefined;
}

/** For the request to arrive; the answer, such as a watch, may last for hours. */
const requestMs = 60_000;
/** Of a connection, until it is closed. */
const idleMs = 120_000;
/** When the server closes. */
const graceMs = 1000;

/** A socket of IPv6 takes connections of both families; a kernel without IPv6 has none. */
const everywhere = existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0';

const begun = new WeakMap<IncomingMessage, Begun>();

/** Listens; throws PORT_TAKEN when somebody else does already. */
export async function listenHttps(o: HttpOptions): Promise<{ app: FastifyInstance; address: AddressInfo }> {
  const app = createApp(o);
  const { host, port } = o.listen;
  const stalled = new StalledAnswers(o.clock);
  const decoder = new BodyDecoder(o.clock);
  const connections = new Connections(o.connections);
  app.addHook('onClose', async () => {
    stalled.stop();
    await decoder.close();
  });
  const handler = async (req: FastifyRequest, reply: FastifyReply): Promise<void> => {
    reply.hijack();
    stalled.add(reply.raw);
    const leave = connections.begin(req.raw.socket);
    reply.raw.once('close', leave);
    await answer(o, decoder, req, reply.raw);
  };
  app.route({ method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], url: '/*', handler, exposeHeadRoute: false });
  app.setNotFoundHandler(handler);
  new Handshakes(new Pace(o.clock)).stepInto(app.server as Server);
  connections.watch(app.server as Server);
  if (o.http2MaxStreams > 0) serveHttp2(app, o);
  app.server.maxHeadersCount = maxHeaders;
  app.server.on('upgrade', o.upgrade);
  // Node hands the connection over and would close it without a word.
  app.server.on('connect', (_req, socket) => refuse(socket, notAllowed));
  try {
    // With a full queue of connections the kernel drops the next, which comes again after a second.
    await app.listen({ host: host === '0.0.0.0' ? everywhere : host, port, backlog: 4096 });
  } catch (err) {
    await app.close();
    if (systemCode(err) === 'EADDRINUSE') {
      throw new KnownError('PORT_TAKEN', `Cannot listen on "${joinHostPort(host, port)}": another program does`, {
        hint: `Find it with: ss -ltnp 'sport = :${port}'`,
        cause: err,
      });
    }
    throw err;
  }
  return { app, address: app.server.address() as AddressInfo };
}

/** Its requests go the way of all others. */
function serveHttp2(app: FastifyInstance, { clock, http2MaxStreams: maxStreams, goawayChance }: HttpOptions): void {
  const serve = (req: IncomingMessage, res: ServerResponse): void => void app.server.emit('request', req, res);
  const sessions = new Http2Sessions({ maxStreams, idleMs, requestMs, goawayChance, random: Math.random, clock, serve });
  sessions.stepInto(app.server as Server);
  app.addHook('preClose', () => sessions.close(graceMs));
}

/** All but the handlers of requests. */
function createApp(o: HttpOptions): FastifyInstance {
  const app = fastify({
    https: {
      // Whose issuer is not there, OpenSSL looks for among the clients' authorities and verifies his signature, in every handshake.
      cert: withIssuers(String(o.tls.cert), String(o.tls.clientCa)),
      key: o.tls.key,
      ca: o.tls.clientCa,
      requestCert: true,
      // A ServiceAccount has no certificate; who has none must show a token.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: o.http2MaxStreams > 0 ? ['h2', 'http/1.1'] : ['http/1.1'],
      maxHeaderSize,
    },
    bodyLimit: maxBodyBytes,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: false },
    frameworkErrors: (err, req, reply) => {
      reply.hijack();
      sendError(reply.raw, badRequest(messageOf(err)), o.log, req.raw.url ?? '');
    },
    clientErrorHandler: (err, socket) => refuse(socket, refusalOf(err)),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_req, body, done) => done(null, body));
  app.addHook('onRequest', (req, reply) => begin(o, req.raw, reply.raw));
  app.setErrorHandler((err, req, reply) => {
    reply.hijack();
    // No "connection: close": Node would end the socket under a client that still sends, which then reads no reason why.
    sendError(reply.raw, asStatus(err), o.log, req.raw.url ?? '');
    if (!req.raw.complete) drainRest(req.raw, o.clock);
  });
  return app;
}

/** Who asks, is it his turn, and may he. Nothing of the body has been read. */
async function begin(o: HttpOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  checkHead(req);
  const known = await o.access.identify(req);
  refuseGone(res);
  // As upstream: what HTTP/2 costs a server is for clients that it knows (CVE-2023-44487).
  if (known.user === anonymous) endHttp2(req);
  const { info } = known;
  const flow = flowOf(known.user, info);
  const turn = flow.level === 'exempt' ? undefined : new Turn(o.flow, flow, widthOf(info, o.workOf(known), isPaced(flow.level)));
  if (turn) {
    res.once('close', () => turn.end());
    await turn.begin();
  }
  o.access.authorize(known);
  checkMethod(req.method ?? '', info);
  const bytes = announcedBytes(req);
  if (bytes > 0) {
    turn?.reserveBody(bytes);
    // Who sends slowly keeps nobody from his turn.
    turn?.pause();
  }
  begun.set(req, { known, turn });
}

function announcedBytes({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return maxBodyBytes;
  return Math.min(Number(headers['content-length'] ?? 0), maxBodyBytes);
}

async function answer(o: HttpOptions, decoder: BodyDecoder, req: FastifyRequest, res: ServerResponse): Promise<void> {
  const { raw } = req;
  const started = o.clock.monotonic();
  const { known, turn } = begun.get(raw) ?? {};
  const warnings: string[] = [];
  try {
    if (!known) throw unauthorized();
    if (turn) {
      await turn.begin();
      if (isLongRunning(known.info)) {
        turn.beginLasting();
        // A watch has a seat until it has been sent what there is.
        if (known.info.verb !== 'watch') turn.pause();
      }
    }
    const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
    await o.serve({ req: raw, res, body, warnings, decode: (job) => decoder.decode(job, known.user.name), ...known });
  } catch (err) {
    setWarnings({ res, warnings });
    sendError(res, err, o.log, raw.url ?? '');
  }
  turn?.pause();
  o.observe({ info: known?.info, code: res.statusCode, seconds: (o.clock.monotonic() - started) / 1000 });
}

const drainBytes = 64 << 20;
const drainMs = 10_000;

/**
 * Reads on what nobody wants: a client that still sends would otherwise be reset before it has read why. Not for ever, though.
 */
function drainRest(req: IncomingMessage, clock: Clock): void {
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > drainBytes) req.destroy();
  });
  req.on('error', () => {});
  const timer = clock.after(drainMs, () => req.destroy());
  req.once('close', () => timer.cancel());
}

function asStatus(err: unknown): unknown {
  if (err instanceof StatusError) return err;
  const code = systemCode(err);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(maxBodyBytes);
  if (code?.startsWith('FST_ERR_CTP')) return badRequest(messageOf(err));
  return err;
}
