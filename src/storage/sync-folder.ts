import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Brings to the disk which names a folder has: only then does a rename outlive a power cut. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
