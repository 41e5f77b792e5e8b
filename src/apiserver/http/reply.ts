/** Writes answers. Headers are those that Kubernetes clients look at. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { hasProtobuf, type KindedObject } from '../../api/codec/protobuf.ts';
import { isKnownError, type KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { badRequest, internalError, StatusError, serviceUnavailable } from '../status/status-error.ts';
import { type Encoding, json } from './encoding.ts';
import { answerForm } from './negotiate.ts';
import { JsonIndent, wantsPretty } from './pretty.ts';
import type { RequestContext } from './request-context.ts';

function headersOf(contentType: string): Record<string, string> {
  return { 'content-type': contentType, 'cache-control': 'no-cache, private' };
}

/** What has no other form: discovery, version, OpenAPI. */
export function sendJson(ctx: RequestContext, code: number, body: object, indent: number = 0): void {
  sendBytes(ctx, code, json, Buffer.from(JSON.stringify(body, null, indent)));
}

/** An object that is made for this answer. Throws 406. */
export function sendObject<T extends KindedObject>(ctx: RequestContext, code: number, object: T): void {
  const { encoding } = answerForm(ctx.req.headers.accept, { protobuf: hasProtobuf(object.apiVersion, object.kind), shapes: false });
  sendBytes(ctx, code, encoding, encoding.encode(object));
}

export function sendBytes(ctx: RequestContext, code: number, encoding: Encoding, bytes: Buffer): void {
  setWarnings(ctx);
  send(ctx.res, code, headersOf(encoding.contentType), bytes);
}

export function send(res: ServerResponse, code: number, headers: Readonly<Record<string, string>>, body: Buffer | string): void {
  if (res.headersSent) {
    // Too late for an answer: an aborted connection is the only way left to say that this is not all.
    res.destroy();
    return;
  }
  const plain = typeof body === 'string' ? Buffer.from(body) : body;
  const bytes = headers['content-type'] === json.contentType ? jsonOf(res, plain) : plain;
  res.writeHead(code, { ...headers, 'content-length': bytes.length });
  res.end(res.req.method === 'HEAD' ? undefined : bytes);
}

const newline = Buffer.from('\n');

/** Indented for people, else with the end of line that Go's encoder writes: a shell begins its next line there. */
function jsonOf({ req }: ServerResponse, bytes: Buffer): Buffer {
  if (wantsPretty(req)) return new JsonIndent().write(bytes);
  return bytes.at(-1) === newline[0] ? bytes : Buffer.concat([bytes, newline]);
}

export function sendText(res: ServerResponse, code: number, text: string): void {
  send(res, code, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }, text);
}

/** Any error as a Status. What is not one is a fault of ours: logged with its stack, told without. */
export function sendError(res: ServerResponse, err: unknown, log: Log, path: string): void {
  const known = statusErrorOf(err, log, path);
  const { details } = known.status;
  const encoding = encodingOfErrors(res.req.headers.accept);
  const headers = headersOf(encoding.contentType);
  if (details?.retryAfterSeconds !== undefined) headers['retry-after'] = String(details.retryAfterSeconds);
  if (known.code === 401) headers['www-authenticate'] = 'Bearer';
  send(res, known.code, headers, encoding.encode(known.status as KindedObject));
}

/** Who takes nothing that is served is told so in JSON. */
function encodingOfErrors(accept: string | undefined): Encoding {
  try {
    return answerForm(accept, { protobuf: true, shapes: false }).encoding;
  } catch {
    return json;
  }
}

export function statusErrorOf(err: unknown, log: Log, path: string): StatusError {
  if (err instanceof StatusError) return err;
  if (err instanceof RangeError && err.message.includes('call stack')) return badRequest('the object is nested too deeply');
  if (isKnownError(err, 'STORE_FULL'))
    return new StatusError(507, 'InternalError', `The store is full, nothing was changed: ${withHint(err)}`);
  if (isKnownError(err) && storeIsAway.has(err.code)) return serviceUnavailable(withHint(err), 1);
  if (isKnownError(err, 'STORE_CLOSED')) return serviceUnavailable('the server is shutting down');
  log.error('a request failed', { path, error: messageOf(err), stack: err instanceof Error ? err.stack : undefined });
  // A disk that fails says what to do about it.
  return internalError(isKnownError(err) ? withHint(err) : messageOf(err));
}

/**
 * Of a store that was well when the server began: it does not answer, its certificate has expired, its user has lost a right, its data are away. All of it
 * may be mended without this server.
 */
const storeIsAway: ReadonlySet<string> = new Set(['STORE_UNAVAILABLE', 'STORE_READ_ONLY', 'STORE_CORRUPT', 'BAD_CONFIG']);

const withHint = ({ message, hint }: KnownError): string => (hint ? `${message}. ${hint}` : message);

/** Clients read no more of a head than this: Node and Python's http.client a few kilobytes or a hundred lines. */
const maxWarningBytes = 8 << 10;
const maxWarnings = 50;

/** RFC 7234's Warning header as upstream writes it: `299 - "text"`. The first ones, where there are more than a client would read. */
export function setWarnings(ctx: Pick<RequestContext, 'res' | 'warnings'>): void {
  if (ctx.warnings.length === 0 || ctx.res.headersSent) return;
  const values: string[] = [];
  let bytes = 0;
  for (const warning of new Set(ctx.warnings)) {
    const value = `299 - "${headerText(warning)}"`;
    bytes += value.length;
    if (values.length === maxWarnings || bytes > maxWarningBytes) break;
    values.push(value);
  }
  ctx.res.setHeader('warning', values);
}

/** A quoted string of a header: backslashes and quotes escaped, everything that is no printable ASCII left out. */
function headerText(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')
    .slice(0, 1024);
}

/** Groups of this size are written at once: fewer TLS records and system calls than one write per object. */
const groupBytes = 256 << 10;

/** Writes parts one after the other, never holding more than one group in the connection's buffer. */
export async function sendParts(ctx: RequestContext, encoding: Encoding, parts: Iterable<Buffer>): Promise<void> {
  const { res } = ctx;
  setWarnings(ctx);
  const headers = headersOf(encoding.contentType);
  const indent = encoding === json && wantsPretty(res.req) ? new JsonIndent() : undefined;
  let group: Buffer[] = [];
  let size = 0;
  for (const plain of parts) {
    const part = indent?.write(plain) ?? plain;
    group.push(part);
    size += part.length;
    if (size < groupBytes) continue;
    if (!res.headersSent) res.writeHead(200, headers);
    if (!res.write(Buffer.concat(group))) await drained(res);
    if (res.destroyed) return;
    group = [];
    size = 0;
  }
  const last = Buffer.concat(group);
  if (!res.headersSent) res.writeHead(200, { ...headers, 'content-length': last.length });
  res.end(res.req.method === 'HEAD' ? undefined : last);
}

/** Resolves when the connection has room again, or is gone. */
export async function drained(res: ServerResponse): Promise<void> {
  if (res.destroyed || !res.writableNeedDrain) return;
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.race([once(res, 'drain', { signal }), once(res, 'close', { signal })]).catch(() => {});
  stop.abort();
}
