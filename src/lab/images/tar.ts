/** A writer of ustar archives (POSIX.1-1988), byte for byte the same for the same entries, so that image digests are stable. */
import { dirname } from 'node:path';

export interface TarEntry {
  /** Relative, at most 100 bytes. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly content?: Uint8Array;
  readonly target?: string;
}

export function directory(path: string, mode = 0o755): TarEntry {
  return { path, kind: 'directory', mode };
}

export function file(path: string, content: string | Uint8Array, mode = 0o644): TarEntry {
  return { path, kind: 'file', mode, content: typeof content === 'string' ? Buffer.from(content) : content };
}

export function symlink(path: string, target: string): TarEntry {
  return { path, kind: 'symlink', mode: 0o777, target };
}

/** The entries with the folders that they lie in, in the order of their paths. */
export function withFolders(entries: readonly TarEntry[]): TarEntry[] {
  const folders = new Set<string>();
  for (const { path } of entries) for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.add(at);
  return [...[...folders].map((path) => directory(path)), ...entries].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const block = 512;
const typeFlag = { file: '0', symlink: '2', directory: '5' } as const;

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function header(entry: TarEntry, seconds: number): Uint8Array {
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  if (Buffer.byteLength(path) > 100) throw new RangeError(`Cannot archive "${path}": the name is longer than 100 bytes`);
  const bytes = Buffer.alloc(block);
  bytes.write(path, 0);
  bytes.write(octal(entry.mode, 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  bytes.write(octal(entry.content?.length ?? 0, 12), 124);
  bytes.write(octal(seconds, 12), 136);
  // The checksum is taken with its own field full of spaces.
  bytes.write('        ', 148);
  bytes.write(typeFlag[entry.kind], 156);
  bytes.write(entry.target ?? '', 157);
  bytes.write('ustar\0', 257);
  bytes.write('00', 263);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

/** Every entry is of the time `seconds`, and root's. */
export function tarOf(entries: readonly TarEntry[], seconds = 0): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry, seconds));
    const content = entry.content;
    if (content) parts.push(content, new Uint8Array((block - (content.length % block)) % block));
  }
  parts.push(new Uint8Array(2 * block));
  return Buffer.concat(parts);
}
