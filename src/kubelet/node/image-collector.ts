/**
 * Removes images that no container uses when the disk runs low. Only images that a registry has (they carry a digest) are removed: one
 * that was loaded by hand could not be had again.
 */
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { Image } from '../cri/messages.ts';

const periodMs = 300_000;

export interface ImageCollectorOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly rootDir: string;
  /** Images go when fewer bytes than this are free; twice the limit at which the node is under pressure. */
  readonly freeBytes: number;
}

/** The images to remove, the biggest first. Pure. */
export function removableImages(images: readonly Image[], used: ReadonlySet<string>): Image[] {
  return images.filter((i) => !i.pinned && i.repoDigests.length > 0 && !used.has(i.id)).toSorted((a, b) => b.size - a.size);
}

export async function collectImages(options: ImageCollectorOptions, signal: AbortSignal): Promise<void> {
  const { cri, clock, log, rootDir, freeBytes } = options;
  const isLow = async (): Promise<boolean> => {
    const disk = await statfs(rootDir);
    return disk.bavail * disk.bsize < freeBytes;
  };
  while (!signal.aborted) {
    await clock.sleep(periodMs, signal).catch(() => {});
    try {
      if (signal.aborted || !(await isLow())) continue;
      const [images, containers] = await Promise.all([cri.listImages(), cri.listContainers()]);
      for (const image of removableImages(images, new Set(containers.map((c) => c.imageRef)))) {
        if (!(await isLow())) break;
        log.info(`Removing image "${image.repoTags[0] ?? image.id}": the disk runs low`);
        await cri.removeImage(image.id);
      }
    } catch (err) {
      log.warn(`Cannot remove images: ${messageOf(err)}`);
    }
  }
}
