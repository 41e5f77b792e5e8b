/**
 * Removes images that no container uses when the disk runs low. Only images that a registry has (they carry a digest) are removed: one
 * that was loaded by hand could not be had again.
 */
import { stat, statfs } from 'node:fs/promises';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { Image } from '../cri/messages.ts';

const periodMs = 300_000;

export interface ImageGcOptions {
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

export async function collectImages(options: ImageGcOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  while (!signal.aborted) {
    await clock.sleep(periodMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      await collectOnce(options);
    } catch (err) {
      log.warn(`Cannot remove images: ${messageOf(err)}`);
    }
  }
}

async function collectOnce(options: ImageGcOptions): Promise<void> {
  const { cri, log, freeBytes } = options;
  const path = await imagePath(options);
  const isLow = async (): Promise<boolean> => {
    const disk = await statfs(path);
    return disk.bavail * disk.bsize < freeBytes;
  };
  if (!(await isLow())) return;
  const [images, containers] = await Promise.all([cri.listImages(), cri.listContainers()]);
  for (const image of removableImages(images, new Set(containers.map((c) => c.imageRef)))) {
    if (!(await isLow())) return;
    log.info(`Removing image "${image.repoTags[0] ?? image.id}": the disk runs low`);
    await cri.removeImage(image.id);
  }
}

/** Where the runtime keeps images; the kubelet's own disk when it does not say, or says it of a directory that cannot be seen from here. */
async function imagePath({ cri, rootDir }: ImageGcOptions): Promise<string> {
  const [first] = await cri.imageFsInfo().catch(() => []);
  const path = first?.fsId?.mountpoint ?? '';
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere ? path : rootDir;
}
