/** Opens what lies below a directory, step by step and without following links: one that somebody puts in the way at that moment leads nowhere. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { systemCode } from '../errors/known-error.ts';

/** include/uapi/asm-generic/fcntl.h: a handle that stands for the place only. */
const O_PATH = 0o10000000;

/** Steps below a directory that nobody else can change. */
export interface Place {
  readonly base: string;
  readonly there: readonly string[];
  readonly missing: readonly string[];
}

/** Makes the directories that are missing on the way. Throws at a link. The handle is for `handlePath` and for mounts. */
export async function openInside({ base, there, missing }: Place): Promise<FileHandle> {
  let handle = await open(base, O_PATH | constants.O_NOFOLLOW);
  for (const [i, step] of [...there, ...missing].entries()) {
    const place = `${handlePath(handle)}/${step}`;
    try {
      if (i >= there.length) await makeDirectory(place);
      const next = await open(place, O_PATH | constants.O_NOFOLLOW);
      await handle.close();
      handle = next;
      if ((await handle.stat()).isSymbolicLink()) throw new Error(`a part of the path, "${step}", is a link`);
    } catch (err) {
      await handle.close();
      throw err;
    }
  }
  return handle;
}

/** What is open, by a path that leads there wherever its name has gone. */
export function handlePath(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

/** To read; neither a link, nor a pipe that nobody writes into, nor a device that a container has made. */
export async function openRegular(file: string): Promise<FileHandle> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error('it is no regular file');
}

async function makeDirectory(place: string): Promise<void> {
  await mkdir(place, { mode: 0o755 }).catch((err) => {
    if (systemCode(err) !== 'EEXIST') throw err;
  });
}
