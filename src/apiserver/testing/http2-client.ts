/** One connection of HTTP/2, as a client-go process has it. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { text } from 'node:stream/consumers';
import type { Pem } from './test-pki.ts';

type Head = IncomingHttpHeaders & IncomingHttpStatusHeader;

export class Http2Client implements Disposable {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on('error', () => {});
  }

  /** Resolves when the server has said what it allows. */
  static async connect(url: string, tls: Partial<Pem> & { readonly ca: string }): Promise<Http2Client> {
    const client = new Http2Client(connect(url, tls));
    await once(client.session, 'remoteSettings');
    return client;
  }

  /** The answer is the caller's to read. */
  open(path: string, headers: OutgoingHttpHeaders = {}, body?: Buffer | string): ClientHttp2Stream {
    const stream = this.session.request({ ':path': path, ...headers }, { endStream: body === undefined });
    stream.on('error', () => {});
    if (body !== undefined) stream.end(body);
    return stream;
  }

  async ask(
    path: string,
    headers?: OutgoingHttpHeaders,
    body?: Buffer | string,
  ): Promise<{ readonly status: number | undefined; readonly head: Head; readonly text: string }> {
    const stream = this.open(path, headers, body);
    const [head] = (await once(stream, 'response')) as [Head];
    return { status: head[':status'], head, text: await text(stream) };
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}
