/** The answer to a request without a connection: keeps what is written, and may be as slow as a test wants. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';

export class FakeResponse extends Writable {
  readonly req: { readonly method: string; readonly headers: IncomingHttpHeaders };
  statusCode = 0;
  headersSent = false;
  readonly headers: Record<string, unknown> = {};
  readonly #chunks: Buffer[] = [];
  /** Set while the client reads nothing. */
  #held: (() => void) | undefined;
  #reads = true;

  constructor(method: string, headers: IncomingHttpHeaders) {
    super({ highWaterMark: 1024 });
    this.req = { method, headers };
  }

  /** As handlers take it. */
  get asServerResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }

  /** What the client has read. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  // biome-ignore lint/suspicious/noExplicitAny: an answer is of any kind
  get body(): any {
    return JSON.parse(this.text);
  }

  /** The events of a watch: `ADDED web`. */
  get events(): string[] {
    const lines = this.text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line)).map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`.trim());
  }

  writeHead(code: number, headers: Readonly<Record<string, unknown>> = {}): this {
    this.statusCode = code;
    Object.assign(this.headers, headers);
    this.headersSent = true;
    return this;
  }

  setHeader(name: string, value: unknown): this {
    this.headers[name] = value;
    return this;
  }

  flushHeaders(): void {}

  /** The client reads nothing until `resume`. */
  pause(): void {
    this.#reads = false;
  }

  resume(): void {
    this.#reads = true;
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    if (this.#reads) done();
    else this.#held = done;
  }
}
