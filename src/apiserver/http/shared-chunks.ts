/**
 * What many answers are sent in the same words, as an event of a watch: over HTTP/1.1 its chunk (RFC 9112, 7.1) is made once for all of them. Node
 * would make it for each, of four writes.
 */
import type { ServerResponse } from 'node:http';

/** Bytes → their chunk. Bytes that are written here are never changed. */
const chunks = new WeakMap<Buffer, Buffer>();

const endOfLine = Buffer.from('\r\n');

/** As `res.write`, of an answer whose head has been written. */
export function writeShared(res: ServerResponse, bytes: Buffer): boolean {
  if (!res.chunkedEncoding || bytes.length === 0) return res.write(bytes);
  res.chunkedEncoding = false;
  try {
    return res.write(chunkOf(bytes));
  } finally {
    // For whatever is written otherwise, and for its end.
    res.chunkedEncoding = true;
  }
}

function chunkOf(bytes: Buffer): Buffer {
  let chunk = chunks.get(bytes);
  if (!chunk) {
    chunk = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), bytes, endOfLine]);
    chunks.set(bytes, chunk);
  }
  return chunk;
}
