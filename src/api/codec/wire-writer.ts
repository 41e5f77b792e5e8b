/**
 * Writes the protobuf wire format from the end to the start, as gogo does: when the length of a message is asked for, its
 * content is already there, so nothing is measured or copied twice.
 */

const startSize = 4096;
const short = 24;

export class WireWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(startSize);
  /** Where the written part begins. */
  #pos = startSize;

  /** How many bytes there are; the difference of two is the length of what was written between. */
  get written(): number {
    return this.#buffer.length - this.#pos;
  }

  /** Makes the writer empty; its buffer is used again. */
  reset(): void {
    this.#pos = this.#buffer.length;
  }

  /** A copy of what was written. Not from the pool: a small message that is kept would keep a whole block of the pool alive. */
  finish(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.written);
    this.#buffer.copy(out, 0, this.#pos);
    return out;
  }

  #reserve(bytes: number): void {
    if (this.#pos >= bytes) return;
    const used = this.written;
    const next = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, used + bytes));
    this.#buffer.copy(next, next.length - used, this.#pos);
    this.#pos = next.length - used;
    this.#buffer = next;
  }

  /** An unsigned varint of up to 32 bits. */
  uint32(value: number): void {
    const size = value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
    this.#reserve(size);
    this.#pos -= size;
    let at = this.#pos;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[at] = rest;
  }

  /** A signed varint of 64 bits. */
  int64(value: number): void {
    if (value >= 0 && value <= 0xffff_ffff) {
      this.uint32(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    const out: number[] = [];
    for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
    this.#reserve(out.length);
    this.#pos -= out.length;
    this.#buffer.set(out, this.#pos);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#pos -= 8;
    this.#buffer.writeDoubleLE(value, this.#pos);
  }

  /** The content of a string and its length. */
  string(text: string): void {
    if (text.length <= short && this.#shortAscii(text)) return;
    const size = Buffer.byteLength(text);
    this.#reserve(size);
    this.#pos -= size;
    this.#buffer.write(text, this.#pos, size, 'utf8');
    this.uint32(size);
  }

  #shortAscii(text: string): boolean {
    const size = text.length;
    this.#reserve(size + 1);
    const start = this.#pos - size;
    const buffer = this.#buffer;
    for (let i = 0; i < size; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[start + i] = code;
    }
    buffer[start - 1] = size;
    this.#pos = start - 1;
    return true;
  }

  /** Bytes and their length. */
  bytes(bytes: Uint8Array): void {
    this.raw(bytes);
    this.uint32(bytes.length);
  }

  /** Bytes without a length: something that is written already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#pos -= bytes.length;
    this.#buffer.set(bytes, this.#pos);
  }
}
