/**
 * Writes the files of a volume so that a reader sees either all old or all new ones: they go to a new dated directory, and one
 * rename of the symlink `..data` switches over. The layout is upstream's AtomicWriter; programs that watch `..data` rely on it.
 */
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';

export interface VolumeFile {
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** Makes `dir` hold exactly `files` (by relative path), owned by `group` if given. Does nothing when it does already. */
export async function writeAtomically(dir: string, files: ReadonlyMap<string, VolumeFile>, group?: number): Promise<void> {
  for (const path of files.keys()) checkPath(path);
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const data = join(dir, '..data');
  const before = await readlink(data).catch(() => undefined);
  if (before !== undefined && (await holds(join(dir, before), files))) return;

  const next = await writeFiles(dir, files, group);
  const tops = new Set([...files.keys()].map((path) => path.split('/')[0] ?? ''));
  for (const top of tops) await linkToData(dir, top);
  const temporary = join(dir, '..data_tmp');
  await rm(temporary, { force: true });
  await symlink(next, temporary);
  await rename(temporary, data);
  for (const entry of await readdir(dir)) {
    const isStale = entry.startsWith('..') ? entry !== '..data' && entry !== next : !tops.has(entry);
    if (isStale) await rm(join(dir, entry), { recursive: true, force: true });
  }
}

/** The name of a new directory below `dir` that holds the files. */
async function writeFiles(dir: string, files: ReadonlyMap<string, VolumeFile>, group: number | undefined): Promise<string> {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll('-', '_').replaceAll(':', '_').replace('T', '_');
  const next = await mkdtemp(join(dir, `..${stamp}.`));
  await chmod(next, 0o755);
  for (const [path, { bytes, mode }] of files) {
    const file = join(next, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, bytes);
    await chmod(file, mode);
    if (group !== undefined) await chown(file, 0, group);
  }
  return basename(next);
}

/** Names at the top point through ..data, so the one rename switches them all. */
async function linkToData(dir: string, name: string): Promise<void> {
  const link = join(dir, name);
  if ((await readlink(link).catch(() => '')) === `..data/${name}`) return;
  await rm(link, { recursive: true, force: true });
  await symlink(`..data/${name}`, link);
}

function checkPath(path: string): void {
  const bad = path === '' || posix.isAbsolute(path) || path.split('/').includes('..') || path.startsWith('..') || path.length > 4096;
  if (bad) throw new Error(`invalid path "${path}" in a volume: it must be relative and stay inside`);
}

async function holds(dir: string, files: ReadonlyMap<string, VolumeFile>): Promise<boolean> {
  let count = 0;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])) if (!entry.isDirectory()) count++;
  if (count !== files.size) return false;
  for (const [path, { bytes, mode }] of files) {
    try {
      const file = join(dir, path);
      if (((await lstat(file)).mode & 0o7777) !== mode || !(await readFile(file)).equals(bytes)) return false;
    } catch {
      return false;
    }
  }
  return true;
}
