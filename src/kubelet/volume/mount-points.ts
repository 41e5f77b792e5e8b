/** What is mounted, as /proc/self/mountinfo has it (proc_pid_mountinfo(5)). */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isInside } from './sub-path.ts';

export interface MountPoint {
  readonly path: string;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** What of the file system lies there. */
  readonly root: string;
}

/** In the order in which they were mounted. */
export async function mountPoints(): Promise<MountPoint[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

export function parseMountInfo(text: string): MountPoint[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [, , device = '', root = '', path = ''] = line.split(' ');
    return { device, root: unescaped(root), path: unescaped(path) };
  });
}

/** Spaces and the like are octal there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The other places where a directory lies; `path` is without links. */
export function bindsOf(path: string, mounts: readonly MountPoint[]): MountPoint[] {
  const covers = (mount: MountPoint): boolean => mount.path === '/' || isInside(path, mount.path);
  const deepest = mounts.filter(covers).reduce<MountPoint | undefined>((a, b) => (a && a.path.length > b.path.length ? a : b), undefined);
  if (!deepest) return [];
  const root = join(deepest.root, relative(deepest.path, path));
  return mounts.filter((mount) => mount.device === deepest.device && mount.root === root && mount.path !== path);
}
