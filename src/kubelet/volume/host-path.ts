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

export async function prepareHostPath(path: string, type: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (type === '') {
    // The runtime would refuse to mount what is not there; upstream's container runtimes made a directory of old.
    if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (type === 'DirectoryOrCreate') {
    if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
    else if (!found.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
    return;
  }
  if (type === 'FileOrCreate') {
    if (!found) await writeFile(path, '', { mode: 0o644, flag: 'a' });
    else if (!found.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
    return;
  }
  const check = checks[type];
  if (!check) throw new Error(`hostPath type "${type}" is not supported`);
  if (!found || !check.is(found)) throw new Error(`hostPath type check failed: ${path} is not ${check.what}`);
}
