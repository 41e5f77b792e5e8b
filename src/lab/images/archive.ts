/** Makes one plain tar of whatever somebody has of images: docker-archive, OCI archive (compressed or not), OCI directory. */
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import type { Tools } from '../tools.ts';
import { type Contents, type Named, nameImages } from './archive-names.ts';

export interface Archive {
  /** Plain tar; below the scratch directory unless the source itself is one. */
  readonly file: string;
  readonly names: readonly string[];
}

/** First bytes of what tar unpacks by itself: gzip, zstd, xz, bzip2. */
const compressed = ['1f8b', '28b52ffd', 'fd377a58', '425a68'];

async function isCompressed(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const start = (await file.read(Buffer.alloc(4), 0, 4, 0)).buffer.toString('hex');
  return compressed.some((magic) => start.startsWith(magic));
}

async function contentsOfDirectory(dir: string): Promise<Contents> {
  const [index, manifest] = await Promise.all(['index.json', 'manifest.json'].map((name) => readIfThere(join(dir, name))));
  return { index, manifest };
}

async function contentsOfTar(exec: Exec, tools: Tools, file: string): Promise<Contents> {
  const list = await exec.run(tools.tar, ['-tf', file]);
  if (list.code !== 0)
    throw new KnownError('BAD_CONFIG', `Cannot load "${file}": it is no tar archive`, {
      hint: 'Give what "docker save", "podman save" or "skopeo copy … oci:DIR" writes',
    });
  const entries = list.stdout.split('\n');
  const read = async (name: string): Promise<string | undefined> => {
    const entry = entries.find((path) => path === name || path === `./${name}`);
    return entry === undefined ? undefined : await mustRun(exec, tools.tar, ['-xOf', file, entry]);
  };
  return { index: await read('index.json'), manifest: await read('manifest.json') };
}

/** The contents of `dir` with one file as it must read. */
async function pack(exec: Exec, tools: Tools, dir: string, { rewrite }: Named, scratch: string): Promise<string> {
  const file = join(scratch, 'images.tar');
  const args = ['-cf', file, '-C', dir];
  if (rewrite) {
    await mkdir(join(scratch, 'rewritten'));
    await writeFile(join(scratch, 'rewritten', rewrite.file), rewrite.text);
    args.push(`--exclude=./${rewrite.file}`, '.', '-C', join(scratch, 'rewritten'), rewrite.file);
  } else args.push('.');
  await mustRun(exec, tools.tar, args);
  return file;
}

/**
 * Reads `path`, which is left as it is; works in `scratch`, an empty directory. `as` is the name of its one image. Throws USAGE and
 * BAD_CONFIG.
 */
export async function readArchive(exec: Exec, tools: Tools, path: string, as: string | undefined, scratch: string): Promise<Archive> {
  const source = resolve(path);
  const found = await stat(source).catch((err: unknown) => {
    if (systemCode(err) === 'ENOENT')
      throw new KnownError('USAGE', `Cannot load "${path}": there is no such file`, { hint: 'docker save IMAGE > FILE' });
    throw err;
  });
  const base = basename(source)
    .replace(/\.(tar|tgz|oci|tar\.\w+)$/, '')
    .toLowerCase();
  if (found.isDirectory()) {
    const named = nameImages(await contentsOfDirectory(source), as, base);
    return { file: await pack(exec, tools, source, named, scratch), names: named.names };
  }
  const named = nameImages(await contentsOfTar(exec, tools, source), as, base);
  if (!named.rewrite && !(await isCompressed(source))) return { file: source, names: named.names };
  const dir = join(scratch, 'unpacked');
  await mkdir(dir);
  await mustRun(exec, tools.tar, ['-xf', source, '-C', dir, '--no-same-owner']);
  return { file: await pack(exec, tools, dir, named, scratch), names: named.names };
}
