/** The log file of a container, as the runtime writes it (CRI): `2026-01-01T00:00:00.000000000Z stdout F text`. */
import type { FileHandle } from 'node:fs/promises';

export interface LogLine {
  readonly time: string;
  readonly stream: string;
  /** The line goes on in the next one. */
  readonly partial: boolean;
  readonly text: Buffer;
}

/** Time, stream and tag before the text of a line take less than this. */
const wordsBytes = 64;
const space = 0x20;
const newline = 0x0a;

/** A line without its newline; undefined when it is none of the runtime's. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(space);
  const second = line.indexOf(space, first + 1);
  if (first < 0 || second < 0) return undefined;
  let third = line.indexOf(space, second + 1);
  if (third < 0) third = line.length;
  const tags = line.toString('latin1', second + 1, third);
  return {
    time: line.toString('latin1', 0, first),
    stream: line.toString('latin1', first + 1, second),
    partial: tags.split(':')[0] === 'P',
    text: line.subarray(third + 1),
  };
}

/** Where the last `lines` lines of the file begin, read backwards in blocks. */
export async function offsetOfTail(handle: FileHandle, lines: number): Promise<number> {
  const { size } = await handle.stat();
  if (lines <= 0) return size;
  const block = Buffer.alloc(65_536);
  let left = lines;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    for (let i = bytesRead - 1; i >= 0; i--) {
      // The newline at the very end closes the last line; it begins none.
      if (block[i] !== newline || start + i === size - 1) continue;
      left--;
      if (left === 0) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

/** The text of the last lines, at most `bytes` of it. */
export async function tailOf(handle: FileHandle, lines: number, bytes: number): Promise<string> {
  const offset = await offsetOfTail(handle, lines);
  const { size } = await handle.stat();
  // The runtime's own words before each line take room too.
  const start = Math.max(offset, size - bytes - (lines + 1) * wordsBytes);
  const raw = Buffer.alloc(size - start);
  await handle.read(raw, 0, raw.length, start);
  const parts: Buffer[] = [];
  for (const line of linesOf(raw)) {
    const parsed = parseLogLine(line);
    if (parsed) parts.push(parsed.text, Buffer.from(parsed.partial ? '' : '\n'));
  }
  const text = Buffer.concat(parts);
  return text.subarray(Math.max(0, text.length - bytes)).toString();
}

/** The lines of a buffer, without newlines; a last one that is not closed comes too. */
export function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(newline, at);
    yield bytes.subarray(at, end < 0 ? bytes.length : end);
    at = end < 0 ? bytes.length : end + 1;
  }
}
