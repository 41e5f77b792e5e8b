/** What can be told of a store that another process has open. Changes nothing. */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileFormat, readState } from './schema.ts';

export interface StoreFile {
  readonly path: string;
  readonly format: number;
  /** What this version would write. */
  readonly knownFormat: number;
  /** Of the file and its log: a snapshot takes no more. */
  readonly bytes: number;
  /** Of the disk that it is on. */
  readonly freeBytes: number;
}

/** Undefined where there is no store that can be read. */
export function lookAtStore(path: string): StoreFile | undefined {
  const state = statSync(path, { throwIfNoEntry: false }) && readState(path, false);
  if (!state) return undefined;
  const { bavail, bsize } = statfsSync(dirname(path));
  const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return { path, format: state.format, knownFormat: fileFormat, bytes: sizeOf(path) + sizeOf(`${path}-wal`), freeBytes: bavail * bsize };
}
