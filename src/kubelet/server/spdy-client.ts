/**
 * As much SPDY/3.1 as a runtime's streaming server wants from a client (draft-mbelshe-httpbis-spdy-00, moby/spdystream): open streams,
 * send and receive data, close halves. There is no flow control, because Go's side has none: a client that waited for window updates
 * would stall after 64 KB. Header blocks go out as stored deflate blocks and answers' headers are not read, so no zlib is needed.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface SpdyStream {
  /** Sends; false when the caller should wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Closes the sending half. */
  end(): void;
}

export interface SpdyHandlers {
  /** Data of a stream, by the name it was opened with. */
  data(stream: string, bytes: Buffer): void;
  /** What was sent has left; more may be written. */
  drained(): void;
  /** The connection is over. */
  close(): void;
}

const synStream = 1;
const synReply = 2;
const rstStream = 3;
const ping = 6;
const goAway = 7;
const fin = 0x01;

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, v] of values.entries()) bytes.writeUInt32BE(v >>> 0, i * 4);
  return bytes;
}

function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers);
  const parts = [words(entries.length)];
  for (const [name, value] of entries) for (const text of [name, value]) parts.push(words(Buffer.byteLength(text)), Buffer.from(text));
  return Buffer.concat(parts);
}

/** One stored block with the bytes, and an empty one, at which the reader hands out what it has (RFC 1951, 3.2.4). */
function stored(bytes: Buffer): Buffer {
  const head = Buffer.from([0, 0, 0, 0, 0]);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(~bytes.length & 0xffff, 3);
  return Buffer.concat([head, bytes, Buffer.from([0, 0, 0, 0xff, 0xff])]);
}

function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  return Buffer.concat([words((0x8003 << 16) | type, (flags << 24) | payload.length), payload]);
}

export class SpdyClient {
  readonly #socket: Socket;
  readonly #handlers: SpdyHandlers;
  readonly #names = new Map<number, string>();
  /** Streams that the server has not answered for yet. Data sent to one of those is thrown away there. */
  readonly #unanswered = new Map<number, () => void>();
  #nextId = 1;
  #pending: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, handlers: SpdyHandlers, head: Buffer) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('drain', () => handlers.drained());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const answer of this.#unanswered.values()) answer();
      handlers.close();
    });
    if (head.length > 0) this.#read(head);
  }

  /** Opens a stream called `name`, told to the server by the header `streamtype`. Resolves when the server takes it. */
  async open(name: string): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#names.set(id, name);
    // The header of the zlib stream comes once for the connection.
    const zlib = id === 1 ? Buffer.from([0x78, 0x01]) : Buffer.alloc(0);
    const block = Buffer.concat([zlib, stored(headerBlock({ streamtype: name }))]);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unanswered.set(id, resolve);
    this.#socket.write(controlFrame(synStream, 0, Buffer.concat([words(id, 0), Buffer.from([0, 0]), block])));
    await promise;
    return {
      write: (bytes) => {
        this.#socket.write(words(id, bytes.length));
        return this.#socket.write(bytes);
      },
      end: () => void this.#socket.write(words(id, fin << 24)),
    };
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 8) {
      const first = this.#pending.readUInt32BE(0);
      const length = this.#pending.readUInt32BE(4) & 0xffffff;
      if (this.#pending.length < 8 + length) return;
      const payload = this.#pending.subarray(8, 8 + length);
      this.#pending = this.#pending.subarray(8 + length);
      if (first >= 0x80000000) this.#control(first & 0xffff, payload);
      else this.#data(this.#names.get(first), payload);
    }
  }

  #data(name: string | undefined, payload: Buffer): void {
    if (name !== undefined && payload.length > 0) this.#handlers.data(name, payload);
  }

  #control(type: number, payload: Buffer): void {
    if (type === ping) this.#socket.write(controlFrame(ping, 0, payload));
    else if (type === goAway) this.#socket.end();
    // A stream that is refused is answered too: nobody is to wait for it.
    if ((type !== synReply && type !== rstStream) || payload.length < 4) return;
    const id = payload.readUInt32BE(0);
    this.#unanswered.get(id)?.();
    this.#unanswered.delete(id);
  }
}

/** Asks the streaming server at `url` to leave HTTP for SPDY; gives the connection and what came after the answer. */
export async function upgradeToSpdy(url: URL, protocol: string): Promise<{ readonly socket: Socket; readonly head: Buffer }> {
  const socket = connect({ host: url.hostname, port: Number(url.port) });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(10_000) });
    socket.setNoDelay(true);
    socket.write(
      `POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\nContent-Length: 0\r\n\r\n`,
    );
    let answer: Buffer = Buffer.alloc(0);
    for (;;) {
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
      socket.pause();
      answer = Buffer.concat([answer, chunk]);
      const end = answer.indexOf('\r\n\r\n');
      if (end >= 0) {
        const text = answer.toString('latin1', 0, end);
        if (!/^HTTP\/1\.[01] 101 /.test(text)) throw new Error(`the runtime's streaming server refused: ${text.split('\r\n')[0]}`);
        return { socket, head: answer.subarray(end + 4) };
      }
      socket.resume();
    }
  } catch (err) {
    socket.destroy();
    throw err;
  }
}
