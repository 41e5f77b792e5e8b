/** Which of containerd's snapshotters works on a file system. */
import { statfs } from 'node:fs/promises';

export type Snapshotter = 'overlayfs' | 'native';

const OVERLAYFS_MAGIC = 0x794c7630;

/** The snapshotter for containerd directories below `dir`: overlayfs cannot be stacked on overlayfs. */
export async function snapshotterFor(dir: string): Promise<Snapshotter> {
  return (await statfs(dir)).type === OVERLAYFS_MAGIC ? 'native' : 'overlayfs';
}
