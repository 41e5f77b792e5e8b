/** The file that etcd's snapshot RPC gives: etcd's own database (bbolt), and the SHA-256 of it behind that. `etcdutl` restores it. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** In the first page, behind its head of 16 bytes (bbolt, db.go). */
const bboltMagic = 0xed0cdaed;
export const headBytes = 20;
const checksumBytes = 32;
/** etcd's database is whole sectors. */
const sector = 512;
const chunkBytes = 1 << 20;

export function isEtcdFile(head: Buffer): boolean {
  return head.length >= headBytes && head.readUInt32LE(16) === bboltMagic;
}

/** What is wrong with the file; undefined when it is as etcd sent it. */
export async function etcdFileDamage(handle: FileHandle): Promise<string | undefined> {
  const { size } = await handle.stat();
  if (size % sector !== checksumBytes) return 'its end is missing';
  const hash = createHash('sha256');
  const end = size - checksumBytes;
  for (let at = 0; at < end; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(chunkBytes, end - at)), 0, undefined, at);
    if (bytesRead === 0) return 'its end is missing';
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const { buffer } = await handle.read(Buffer.alloc(checksumBytes), 0, checksumBytes, end);
  return hash.digest().equals(buffer) ? undefined : 'its checksum is wrong: something in it has changed';
}
