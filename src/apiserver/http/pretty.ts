/**
 * JSON for people: `?pretty=true`, `Accept: application/json;pretty=1`, and what curl, wget and browsers get unless they say `?pretty=false`.
 * As upstream's negotiation.
 */
import type { IncomingMessage } from 'node:http';

const yes: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

export function wantsPretty({ url = '', headers }: Pick<IncomingMessage, 'url' | 'headers'>): boolean {
  if (headers.accept?.includes(';pretty=1')) return true;
  const asked = url.includes('pretty') ? new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('pretty') : null;
  return asked ? yes.has(asked) : /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}

const [quote, backslash, comma, colon, newline, space] = Buffer.from('"\\,:\n ') as unknown as [
  number,
  number,
  number,
  number,
  number,
  number,
];
const opening: ReadonlySet<number> = new Set(Buffer.from('{['));
const closing: ReadonlySet<number> = new Set(Buffer.from('}]'));

/** Indents JSON that comes in pieces by two spaces, as Go's json.MarshalIndent. A list is never held as a whole. */
export class JsonIndent {
  #out = Buffer.alloc(0);
  #length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Something was opened, and it is not known yet whether it holds anything. */
  #opened = false;

  write(piece: Buffer): Buffer {
    this.#out = Buffer.allocUnsafe(2 * piece.length + 64);
    this.#length = 0;
    for (const byte of piece) {
      this.#room();
      if (this.#inString) this.#text(byte);
      else if (byte > space) this.#token(byte);
    }
    return this.#out.subarray(0, this.#length);
  }

  #text(byte: number): void {
    this.#put(byte);
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) this.#inString = false;
  }

  #token(byte: number): void {
    const closes = closing.has(byte);
    if (closes) this.#depth--;
    if (closes !== this.#opened) this.#line();
    this.#opened = opening.has(byte);
    if (this.#opened) this.#depth++;
    this.#inString = byte === quote;
    this.#put(byte);
    if (byte === comma) this.#line();
    if (byte === colon) this.#put(space);
  }

  #line(): void {
    this.#put(newline);
    for (let i = 0; i < this.#depth; i++) {
      this.#put(space);
      this.#put(space);
    }
  }

  #put(byte: number): void {
    this.#out[this.#length++] = byte;
  }

  /** For one byte and all that may stand before and after it. */
  #room(): void {
    const needed = this.#length + 4 * (this.#depth + 2);
    if (needed <= this.#out.length) return;
    const more = Buffer.allocUnsafe(2 * needed);
    this.#out.copy(more, 0, 0, this.#length);
    this.#out = more;
  }
}
