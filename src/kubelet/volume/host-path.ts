/** hostPath volumes: checks or makes what the volume's type asks for. */
import { mkdir, stat, writeFile } from 'node:fs/promises';

type Stats = Awaited<ReturnType<typeof stat>>;

const checks: Readonly<Record<string, { readonly is: (s: Stats) => boolean; readonly what: string }>> = {
  Directory: { is: (s) => s.isDirectory(), what: 'a directory' },
  File: { is: (s) => s.isFile(), what: 'a file' },
  Socket: { is: (s) => s.isSocket(), what: 'a socket file' },
  CharDevice: { is: (s) => s.isCharacterDevice(), what: 'a character device' },
  BlockDevice: { is: (s) => s.isBlockDevice(), what: 'a block device' },
};

/** Types that make what is not there. */
const creators: Readonly<Record<string, { readonly check: string; readonly create: (path: string) => Promise<unknown> }>> = {
  DirectoryOrCreate: { check: 'Directory', create: (path) => mkdir(path, { recursive: true, mode: 0o755 }) },
  FileOrCreate: { check: 'File', create: (path) => writeFile(path, '', { mode: 0o644, flag: 'a' }) },
};

export async function prepareHostPath(path: string, type: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  // Without a type nothing is checked, but the runtime would refuse to mount what is not there.
  const creator = creators[type || 'DirectoryOrCreate'];
  if (creator && !found) await creator.create(path);
  if (type === '' || (creator && !found)) return;
  const check = checks[creator?.check ?? type];
  if (!check) throw new Error(`hostPath type "${type}" is not supported`);
  if (!found || !check.is(found)) throw new Error(`hostPath type check failed: ${path} is not ${check.what}`);
}
