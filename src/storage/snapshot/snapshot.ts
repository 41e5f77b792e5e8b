/** A snapshot: what a store held at one moment, in one file that tells whether it is whole. */
import { createHash, randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import type { ImageRecord, StoreImage } from '../image.ts';
import { syncFolder } from '../sync-folder.ts';
import { etcdFileDamage, headBytes, isEtcdFile } from './etcd-file.ts';
import {
  decodeHeader,
  decodeRecord,
  decodeTail,
  encodeCount,
  encodeHeader,
  encodeRecord,
  encodeTail,
  headerLength,
  magic,
  prefixBytes,
  type SnapshotHeader,
  tailBytes,
} from './format.ts';

/** How much is read or written at once. */
const chunkBytes = 1 << 20;
/**
 * How far the revision of a restored store lies above that of its snapshot. Clients have seen revisions that the snapshot does not know: none of
 * those may be given to another write, and all must count as compacted, so that watches are told and everybody lists anew. A cluster that makes
 * 1,000 writes a second gets so far in eleven days (etcd advises the same number for `etcdutl snapshot restore --bump-revision`).
 */
const restoredGap = 1_000_000_000;
/** Longer than any header. */
const maxHeader = 64 << 10;

/** What is undefined is not known: of a file that is not whole, or one of etcd's own. */
export interface SnapshotStatus extends Pick<SnapshotHeader, 'engine' | 'savedAt'> {
  readonly version: string | undefined;
  readonly cluster: string | undefined;
  readonly revision: number | undefined;
  readonly file: string;
  readonly bytes: number;
  readonly records: number | undefined;
  /** What is wrong with the file. */
  readonly damage: string | undefined;
}

/** Of a file of our own format. */
export type OwnStatus = SnapshotStatus & SnapshotHeader;

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
  const { records, bytes } = await writeWhole(file, (handle) => writeImage(handle, header, image, signal));
  return { ...header, file, bytes, records, damage: undefined };
}

/** The same with an engine's own snapshot. */
export async function saveDatabase(file: string, pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<SnapshotStatus> {
  await writeWhole(file, async (handle) => {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      await handle.writeFile(piece);
    }
    const damage = await etcdFileDamage(handle);
    if (damage !== undefined) throw damaged(file, damage);
  });
  return readStatus(file);
}

async function writeWhole<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  await refuseOther(file);
  // Two that save to one name at the same time must not write to one file.
  const made = `${file}.${randomBytes(4).toString('hex')}.new`;
  const handle = await open(made, 'wx+', 0o600);
  try {
    const written = await write(handle);
    await handle.sync();
    renameSync(made, file);
    syncFolder(dirname(file));
    return written;
  } catch (err) {
    rmSync(made, { force: true });
    throw err;
  } finally {
    await handle.close();
  }
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

/** What the file says of itself, and whether it is as it was written. Throws SNAPSHOT_DAMAGED when it cannot even say that. */
export async function readStatus(file: string): Promise<SnapshotStatus> {
  await using handle = await open(file, 'r');
  if (isEtcdFile(await readAt(handle, 0, headBytes))) return await etcdStatus(file, handle);
  const { status } = await inspect(file, handle);
  return status;
}

/** What can be told of it without etcd's own tools. */
async function etcdStatus(file: string, handle: FileHandle): Promise<SnapshotStatus> {
  const { size, mtime } = await handle.stat();
  const known = { file, bytes: size, engine: 'etcd', savedAt: mtime.toISOString(), damage: await etcdFileDamage(handle) };
  return { ...known, version: undefined, cluster: undefined, revision: undefined, records: undefined };
}

/** Gives a snapshot as what it is of. All of it is checked first: throws SNAPSHOT_DAMAGED, and nothing was restored, when it is not as it was written. */
export async function openSnapshot(file: string): Promise<StoreImage & { readonly count: number }> {
  const handle = await open(file, 'r');
  try {
    if (isEtcdFile(await readAt(handle, 0, headBytes))) throw ofEtcd(file);
    const { status, recordsAt } = await inspect(file, handle);
    if (status.damage !== undefined) throw damaged(file, status.damage);
    return {
      engine: status.engine,
      cluster: status.cluster,
      revision: status.revision,
      count: status.records!,
      isCurrent: async () => true,
      records: () => recordsFrom(file, handle, recordsAt),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (err) {
    await handle.close();
    throw err;
  }
}

/** The revision with which a store begins that is made of a snapshot. */
export function restoredRevision({ revision }: StoreImage): number {
  return revision + restoredGap;
}

interface Inspected {
  readonly status: OwnStatus;
  readonly recordsAt: number;
}

async function inspect(file: string, handle: FileHandle): Promise<Inspected> {
  const prefix = await readAt(handle, 0, prefixBytes);
  const length = headerLength(prefix);
  if (length === undefined) throw damaged(file, notOurs(prefix));
  const recordsAt = prefixBytes + length;
  const header = length <= maxHeader ? decodeHeader(await readAt(handle, prefixBytes, length)) : undefined;
  if (!header) throw damaged(file, 'its first bytes are not as they were written');
  const bytes = (await handle.stat()).size;
  const whole = await check(handle, bytes, recordsAt);
  const [records, damage] = typeof whole === 'number' ? [whole, undefined] : [undefined, whole];
  return { status: { ...header, file, bytes, records, damage }, recordsAt };
}

/** The number of records, or what is wrong. */
async function check(handle: FileHandle, bytes: number, recordsAt: number): Promise<number | string> {
  const tailAt = bytes - tailBytes;
  const countBytes = encodeCount(0).length;
  const checksum = tailAt < recordsAt + countBytes ? undefined : decodeTail(await readAt(handle, tailAt, tailBytes));
  if (!checksum) return 'its end is missing';
  const hash = createHash('sha256');
  for (let at = 0; at < tailAt; ) {
    const chunk = await readAt(handle, at, Math.min(chunkBytes, tailAt - at));
    if (chunk.length === 0) return 'its end is missing';
    hash.update(chunk);
    at += chunk.length;
  }
  if (!hash.digest().equals(checksum)) return 'its checksum is wrong: something in it has changed';
  const last = decodeRecord(await readAt(handle, tailAt - countBytes, countBytes), 0);
  return last && 'count' in last ? last.count : 'it has no end';
}

async function* recordsFrom(file: string, handle: FileHandle, start: number): AsyncGenerator<ImageRecord> {
  let at = start;
  let bytes: Buffer = Buffer.alloc(0);
  let used = 0;
  for (;;) {
    const found = decodeRecord(bytes, used);
    if (found && 'count' in found) return;
    if (found) {
      yield found.record;
      used = found.next;
      continue;
    }
    const more = await readAt(handle, at, chunkBytes);
    if (more.length === 0) throw damaged(file, 'it became shorter while it was read');
    at += more.length;
    bytes = Buffer.concat([bytes.subarray(used), more]);
    used = 0;
  }
}

/** Fewer bytes than `length` where the file ends. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function notOurs(prefix: Buffer): string {
  const family = magic.slice(0, -1);
  return prefix.toString('latin1', 0, family.length) === family ? 'a newer version of Fairlead wrote it' : 'it is no snapshot';
}

function ofEtcd(file: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot restore snapshot "${file}": it is one of etcd, which restores it itself`, {
    hint:
      `On each member, with its name and URLs: etcdutl snapshot restore ${file} --bump-revision 1000000000 --mark-compacted --data-dir DIR ` +
      '(before etcd 3.5: etcdctl, without the two flags; then restart every API server and client)',
  });
}

function damaged(file: string, what: string): KnownError {
  return new KnownError('SNAPSHOT_DAMAGED', `Cannot read snapshot "${file}": ${what}`, {
    hint: 'Take another snapshot, or another copy of this one; nothing was changed',
  });
}
