/** Reads and fills `sqlite:///var/lib/fairlead/state.db` as a whole, while no server has it open or beside one. */
import { dirname } from 'node:path';
import type { Filled, StoreImage } from '../image.ts';
import type { ImageOptions } from '../open.ts';
import type { StoreUrl } from '../store-url.ts';
import { mustBeThere, readSqliteImage } from './image.ts';
import { lockStore } from './lock.ts';
import { makeFolder, makeFrom } from './make-store.ts';

export async function readSqliteUrl(url: StoreUrl, { closed }: ImageOptions): Promise<StoreImage> {
  const path = url.path;
  mustBeThere(path);
  if (!closed) return readSqliteImage(path);
  const lock = lockStore(path);
  try {
    const image = readSqliteImage(path);
    return {
      ...image,
      async [Symbol.asyncDispose]() {
        await image[Symbol.asyncDispose]();
        lock.release();
      },
    };
  } catch (err) {
    lock.release();
    throw err;
  }
}

export async function fillSqliteUrl(url: StoreUrl, image: StoreImage, revision: number): Promise<Filled> {
  const path = url.path;
  makeFolder(dirname(path));
  const lock = lockStore(path);
  try {
    await makeFrom(path, image, revision);
    return { revision, keepsRevisions: true };
  } finally {
    lock.release();
  }
}
