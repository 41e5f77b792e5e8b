/** Writes a snapshot: an image in our own format, or what an engine gives in its own. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { KnownError } from '../../errors/known-error.ts';
import type { StoreImage } from '../image.ts';
import { etcdFileDamage, headBytes, isEtcdFile } from './etcd-file.ts';
import { chunkBytes, encodeCount, encodeHeader, encodeRecord, encodeTail, headerLength, type SnapshotHeader } from './format.ts';
import { damaged, type OwnStatus, readAt, readStatus, type SnapshotStatus } from './snapshot.ts';
import { writeWhole } from './whole-file.ts';

export interface SaveOptions {
  /** Of this program. */
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/**
 * Writes `image` to `file`, for its owner alone: whole and on the disk when this resolves, or as it was before. An older snapshot is replaced;
 * any other file of that name is refused.
 */
export async function saveSnapshot(file: string, image: StoreImage, { version, now, signal }: SaveOptions): Promise<OwnStatus> {
  const { engine, cluster, revision } = image;
  const header: SnapshotHeader = { version, savedAt: new Date(now).toISOString(), engine, cluster, revision };
  await refuseOther(file);
  const { records, bytes } = await writeWhole(file, now, (handle) => writeImage(handle, header, image, signal));
  return { ...header, file, bytes, records, damage: undefined };
}

/** The same with an engine's own snapshot. */
export async function saveDatabase(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  { now, signal }: Pick<SaveOptions, 'now' | 'signal'>,
): Promise<SnapshotStatus> {
  await refuseOther(file);
  await writeWhole(file, now, async (handle) => {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      await handle.writeFile(piece);
    }
    const damage = await etcdFileDamage(handle);
    if (damage !== undefined) throw damaged(file, damage);
  });
  return readStatus(file);
}

async function refuseOther(file: string): Promise<void> {
  await using handle = await open(file, 'r').catch((err: NodeJS.ErrnoException) => {
    if (err.code !== 'ENOENT') throw err;
    return undefined;
  });
  if (!handle) return;
  const head = (await handle.stat()).isFile() ? await readAt(handle, 0, headBytes) : Buffer.alloc(0);
  const isSnapshot = headerLength(head) !== undefined || isEtcdFile(head);
  if (!isSnapshot)
    throw new KnownError('BAD_CONFIG', `Cannot write snapshot "${file}": there is something else of that name`, {
      hint: 'Give the name of a file that is not there yet, or of an older snapshot',
    });
}

async function writeImage(
  handle: FileHandle,
  header: SnapshotHeader,
  image: StoreImage,
  signal: AbortSignal,
): Promise<{ readonly records: number; readonly bytes: number }> {
  const hash = createHash('sha256');
  let waiting: Buffer[] = [encodeHeader(header)];
  let size = waiting[0]!.length;
  let bytes = 0;
  async function flush(): Promise<void> {
    const chunk = Buffer.concat(waiting);
    hash.update(chunk);
    await handle.writeFile(chunk);
    bytes += chunk.length;
    waiting = [];
    size = 0;
    signal.throwIfAborted();
  }
  let records = 0;
  for await (const record of image.records()) {
    const encoded = encodeRecord(record);
    waiting.push(encoded);
    size += encoded.length;
    records++;
    if (size >= chunkBytes) await flush();
  }
  waiting.push(encodeCount(records));
  await flush();
  const tail = encodeTail(hash.digest());
  await handle.writeFile(tail);
  return { records, bytes: bytes + tail.length };
}
