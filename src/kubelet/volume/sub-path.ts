/**
 * subPath mounts. A container that shares the volume may put a symlink in the way at any moment, so what is given to the runtime is not
 * a path inside the volume but a bind mount, made from a file descriptor that was opened step by step without following links
 * (CVE-2017-1002101, CVE-2021-25741).
 */
import { type FileHandle, mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { start } from '../../linux/exec.ts';
import { openInside, type Place } from '../../linux/open-inside.ts';

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
