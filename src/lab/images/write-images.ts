/** The images of the lab as files, for whoever has nodes that no lab made. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { systemExec } from '../../linux/exec.ts';
import { findBusybox } from '../tools.ts';
import { imageArchives } from './image-store.ts';

/** Returns the paths of what it wrote. */
export async function writeImages(directory: string): Promise<string[]> {
  const busybox = await findBusybox();
  if (busybox === undefined)
    throw new KnownError('TOOL_MISSING', 'Cannot build the images: there is no busybox', {
      hint: 'apt-get install --no-remove --no-install-recommends busybox-static',
    });
  const archives = Object.entries(await imageArchives(systemExec, busybox));
  await mkdir(directory, { recursive: true });
  return await Promise.all(
    archives.map(async ([name, bytes]) => {
      const path = join(directory, `${name}.tar`);
      await writeFile(path, bytes);
      return path;
    }),
  );
}
