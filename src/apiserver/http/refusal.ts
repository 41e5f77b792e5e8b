/** Answers to what is no request that could be served: written to the connection as they are, because nobody has parsed it. */
import type { Duplex } from 'node:stream';
import { methodNotAllowed, StatusError } from '../status/status-error.ts';

/** A method that only HTTP's grammar allows: Node knows a fixed list, Go takes any word. */
const requestLine = /^[A-Z][A-Z-]* \S+ HTTP\/1\.[01]\r\n/;

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

export const notAllowed: StatusError = methodNotAllowed();

export function refusalOf(err: { readonly code?: string; readonly rawPacket?: unknown }): StatusError {
  switch (err.code) {
    // Go keeps connections that it never used: to those only 408 means what it is, everything else is logged as a stray answer.
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new StatusError(408, 'Timeout', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return new StatusError(431, 'RequestHeaderFieldsTooLarge', 'the headers of the request are too large or too many');
    case 'HPE_INVALID_METHOD':
      if (requestLine.test(firstLine(err.rawPacket))) return notAllowed;
  }
  return new StatusError(400, 'BadRequest', 'the connection carries no HTTP/1.1 request');
}

function firstLine(packet: unknown): string {
  return Buffer.isBuffer(packet) ? packet.subarray(0, 4096).toString('latin1') : '';
}

/** For a client to read why before the connection is gone. */
const lingerMs = 2000;

export function refuse(socket: Duplex, { code, status }: StatusError): void {
  // Every piece that comes after the first broken one is broken too; the answer is on its way.
  if (socket.writableEnded) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${JSON.stringify(status)}\n`;
  const head = `HTTP/1.1 ${code} ${reasons[code] ?? 'Error'}\r\nconnection: close\r\ncontent-type: application/json`;
  const linger = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(linger));
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
