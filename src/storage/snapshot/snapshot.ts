/** A snapshot: what a store held at one moment, in one file that tells whether it is whole. `save.ts` writes it, this reads it. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { KnownError } from '../../errors/known-error.ts';
import type { ImageRecord, StoreImage } from '../image.ts';
import { etcdFileDamage, headBytes, isEtcdFile } from './etcd-file.ts';
import {
  chunkBytes,
  decodeHeader,
  decodeRecord,
  decodeTail,
  encodeCount,
  headerLength,
  magic,
  prefixBytes,
  type SnapshotHeader,
  tailBytes,
} from './format.ts';

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

/** What the file says of itself, and whether it is as it was written. Throws SNAPSHOT_DAMAGED when it cannot even say that. */
export async function readStatus(file: string): Promise<SnapshotStatus> {
  await using handle = await openFile(file);
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
  const handle = await openFile(file);
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
export function restoredRevision({ revision }: StoreImage, gap: number = restoredGap): number {
  return revision + gap;
}

async function openFile(file: string): Promise<FileHandle> {
  const handle = await open(file, 'r');
  // A device or a pipe has no end that could be checked.
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new KnownError('BAD_CONFIG', `Cannot read snapshot "${file}": it is no file`, {
    hint: 'Name the file itself, as "fairlead snapshot save FILE" wrote it',
  });
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
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
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
      '(before etcd 3.5.10: etcdctl, without the two flags. API servers that run meanwhile raise the revision themselves; where none does, restart every client)',
  });
}

export function damaged(file: string, what: string): KnownError {
  return new KnownError('SNAPSHOT_DAMAGED', `Cannot read snapshot "${file}": ${what}`, {
    hint: 'Take another snapshot, or another copy of this one; nothing was changed',
  });
}
