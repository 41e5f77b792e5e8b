/**
 * subPath mounts. A container that shares the volume may put a symlink in the way at any moment, so what is given to the runtime is not
 * a path inside the volume but a bind mount, made from a file descriptor that was opened step by step without following links
 * (CVE-2017-1002101, CVE-2021-25741).
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../errors/known-error.ts';
import { start } from '../../linux/exec.ts';

/** include/uapi/asm-generic/fcntl.h: a handle that stands for the place only. */
const O_PATH = 0o10000000;

/** Checks a subPath, makes it as a directory when it is not there, and mounts it at `target`. Throws when it leads out of the volume. */
export async function bindSubPath(volumePath: string, subPath: string, target: string): Promise<void> {
  await using handle = await openInside(await placeOf(volumePath, subPath));
  if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true, mode: 0o750 });
  else {
    await mkdir(dirname(target), { recursive: true, mode: 0o750 });
    await writeFile(target, '', { flag: 'a', mode: 0o640 });
  }
  await mountHandle(handle, target);
}

/** Steps below a volume's own directory. */
export interface Place {
  readonly base: string;
  readonly there: readonly string[];
  readonly missing: readonly string[];
}

/** The place that a subPath means. Throws when it leads out of the volume. */
export async function placeOf(volumePath: string, subPath: string): Promise<Place> {
  const steps = subPath.split('/').filter((step) => step !== '' && step !== '.');
  if (subPath.startsWith('/') || steps.includes('..')) throw new Error(`subPath "${subPath}" must be relative and without ".."`);
  const base = await realpath(volumePath);
  // Links that stay inside are allowed: what exists is taken by where it really is.
  let known = steps.length;
  while (known > 0 && !(await stat(join(base, ...steps.slice(0, known))).catch(() => undefined))) known--;
  const real = await realpath(join(base, ...steps.slice(0, known)));
  if (!isInside(real, base)) throw new Error(`subPath "${subPath}" leads out of its volume`);
  return { base, there: real.slice(base.length).split('/').filter(Boolean), missing: steps.slice(known) };
}

export function isInside(path: string, base: string): boolean {
  return path === base || path.startsWith(`${base}/`);
}

/** Opens one step after the other, and makes those that are missing on the way; a link that appeared since makes it fail. */
export async function openInside({ base, there, missing }: Place): Promise<FileHandle> {
  let handle = await open(base, O_PATH | constants.O_NOFOLLOW);
  for (const [i, step] of [...there, ...missing].entries()) {
    const place = `/proc/self/fd/${handle.fd}/${step}`;
    try {
      if (i >= there.length) await makeDirectory(place);
      const next = await open(place, O_PATH | constants.O_NOFOLLOW);
      await handle.close();
      handle = next;
      if ((await handle.stat()).isSymbolicLink()) throw new Error(`a part of the subPath, "${step}", became a link`);
    } catch (err) {
      await handle.close();
      throw err;
    }
  }
  return handle;
}

async function makeDirectory(place: string): Promise<void> {
  await mkdir(place, { mode: 0o755 }).catch((err) => {
    if (systemCode(err) !== 'EEXIST') throw err;
  });
}

/** The program inherits the handle as descriptor 3. */
function mountHandle(handle: FileHandle, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = start('mount', ['--no-canonicalize', '--bind', '/proc/self/fd/3', target], {
      stdio: ['ignore', 'ignore', 'pipe', handle.fd],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (s: string) => (said += s));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`cannot mount a subPath: ${said.trim()}`))));
  });
}
