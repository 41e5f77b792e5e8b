/** Reads the protobuf wire format (protobuf.dev/programming-guides/encoding) out of one buffer. */
import { Budget } from './limits.ts';

/** Bytes that are no protobuf, or not of the type they claim to be. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Up to this length a string is put together by hand, which is quicker than a call into the decoder. */
const short = 10;

export class WireReader {
  readonly #buffer: Buffer;
  /** Two bytes can stand for an object. */
  readonly budget: Budget;
  pos = 0;

  constructor(bytes: Uint8Array, budget: Budget = new Budget()) {
    this.budget = budget;
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.#buffer.length;
  }

  /** An unsigned varint of up to 32 bits: tags and lengths. */
  uint32(end: number): number {
    const buffer = this.#buffer;
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.pos >= end) throw new ProtobufError('unexpected EOF');
      const byte = buffer[this.pos++] as number;
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** A signed varint of 64 bits. Beyond ±2⁵³ a JavaScript number rounds, as it does for JSON. */
  int64(end: number): number {
    const buffer = this.#buffer;
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.pos >= end) throw new ProtobufError('unexpected EOF');
      const byte = buffer[this.pos++] as number;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i < 8) middle |= bits << (7 * (i - 4));
      else high |= bits << (7 * (i - 8));
      if (byte < 0x80) {
        if (i < 7) return low + middle * 0x1000_0000;
        return Number(BigInt.asIntN(64, (BigInt(high) << 56n) | (BigInt(middle) << 28n) | BigInt(low)));
      }
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(end: number): number {
    if (this.pos + 8 > end) throw new ProtobufError('unexpected EOF');
    this.pos += 8;
    return this.#buffer.readDoubleLE(this.pos - 8);
  }

  /** The end of a length-delimited value that starts here. */
  lengthDelimited(end: number): number {
    const length = this.uint32(end);
    const stop = this.pos + length;
    if (stop > end) throw new ProtobufError('unexpected EOF');
    return stop;
  }

  string(end: number): string {
    const stop = this.lengthDelimited(end);
    const start = this.pos;
    this.pos = stop;
    const buffer = this.#buffer;
    if (stop - start > short) return buffer.toString('utf8', start, stop);
    let text = '';
    for (let i = start; i < stop; i++) {
      const byte = buffer[i] as number;
      if (byte > 0x7f) return buffer.toString('utf8', start, stop);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  bytes(end: number): Buffer {
    const stop = this.lengthDelimited(end);
    const start = this.pos;
    this.pos = stop;
    return this.#buffer.subarray(start, stop);
  }

  /** Passes over a value of an unknown field. */
  skip(wireType: number, end: number): void {
    if (wireType === 0) this.int64(end);
    else if (wireType === 2) this.pos = this.lengthDelimited(end);
    else if (wireType === 1 || wireType === 5) {
      this.pos += wireType === 1 ? 8 : 4;
      if (this.pos > end) throw new ProtobufError('unexpected EOF');
    } else throw new ProtobufError(`proto: illegal wireType ${wireType}`);
  }
}
