/**
 * A containerd root directory that already holds the lab's images. It is made once per version of the images and of containerd,
 * and copied for each node: a copy of a few megabytes takes milliseconds, an import a containerd client and its start.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock/clock.ts';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import { type Exec, mustRun, start } from '../../linux/exec.ts';
import { removeAbandoned, syncFolder } from '../../linux/put-file.ts';
import { boxImage, pauseImage } from './lab-images.ts';
import { ociArchive } from './oci-image.ts';
import type { Snapshotter } from './snapshotter.ts';
import type { Architecture } from './udp-echo.ts';

export interface ImageStoreOptions {
  readonly cacheDir: string;
  /** The static busybox of this machine. */
  readonly busybox: string;
  readonly snapshotter: Snapshotter;
  readonly exec: Exec;
  readonly clock: Clock;
  /** How long each step may take: containerd's start, and each import. */
  readonly timeoutMs: number;
}

export function architecture(): Architecture {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot build images for "${process.arch}": only x64 and arm64 are known`, {
    hint: 'Run the lab on a machine with one of them',
  });
}

const PT_INTERP = 3;

/** Whether an ELF executable (64 bit, little-endian) needs no dynamic loader. */
function isStatic(elf: Buffer): boolean {
  const [offset, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => elf.readUInt32LE(offset + i * size)).every((type) => type !== PT_INTERP);
}

async function build(options: ImageStoreOptions, dir: string, archives: readonly Uint8Array[]): Promise<void> {
  const { exec, clock, snapshotter } = options;
  await rm(dir, { recursive: true, force: true });
  await mkdir(join(dir, 'root'), { recursive: true, mode: 0o700 });
  const socket = join(dir, 'containerd.sock');
  const config = join(dir, 'config.toml');
  await writeFile(
    config,
    `version = 2\nroot = "${dir}/root"\nstate = "${dir}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n[grpc]\naddress = "${socket}"\n`,
  );
  // Namespaces of its own: whatever this containerd mounts or starts ends with it.
  const daemon = start('unshare', ['--mount', '--net', '--pid', '--fork', '--kill-child', 'containerd', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  daemon.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  let ended = false;
  const end = new Promise<void>((resolve) => daemon.on('error', () => resolve()).on('exit', () => resolve())).then(() => {
    ended = true;
  });
  try {
    const deadline = clock.monotonic() + options.timeoutMs;
    while (!(await stat(socket).catch(() => undefined))) {
      if (ended || clock.monotonic() > deadline)
        throw new KnownError(
          'COMMAND_FAILED',
          `Cannot prepare the images: containerd does not start: ${said.trim().split('\n').at(-1) ?? ''}`,
        );
      await clock.sleep(20);
    }
    for (const [i, bytes] of archives.entries()) {
      const archive = join(dir, `${i}.tar`);
      await writeFile(archive, bytes);
      const args = ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', snapshotter, archive];
      await mustRun(exec, 'ctr', args, { timeoutMs: options.timeoutMs });
      await rm(archive);
    }
  } finally {
    // SIGTERM to unshare leaves containerd; --kill-child ends it hard. bbolt and the content store survive that.
    daemon.kill('SIGKILL');
    await end;
  }
}

const keepMs = 7 * 86_400_000;

/** Other versions may be in use by another checkout, so only what nobody has made for a week goes. */
async function removeOld(options: ImageStoreOptions, current: string): Promise<void> {
  for (const name of await readdir(options.cacheDir)) {
    const path = join(options.cacheDir, name);
    if (!name.startsWith('images-') || name === current || (await stat(path)).mtimeMs > options.clock.now() - keepMs) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** The images of the lab, as OCI archives. `busybox`: the path of a static one. */
export async function imageArchives(exec: Exec, busybox: string): Promise<{ readonly pause: Uint8Array; readonly box: Uint8Array }> {
  const [program, applets] = await Promise.all([readFile(busybox), mustRun(exec, busybox, ['--list'])]);
  if (!isStatic(program))
    throw new KnownError('TOOL_MISSING', `Cannot build the images: "${busybox}" needs shared libraries`, {
      hint: 'apt-get install --no-remove --no-install-recommends busybox-static',
    });
  const box = boxImage(architecture(), program, applets.split('\n').filter(Boolean));
  return { pause: ociArchive(pauseImage(box)), box: ociArchive(box) };
}

/** The prepared directory. Makes it when it is not there. */
export async function ensureImageStore(options: ImageStoreOptions): Promise<{ readonly dir: string; readonly built: boolean }> {
  const { cacheDir, clock, exec } = options;
  const [{ pause, box }, version] = await Promise.all([imageArchives(exec, options.busybox), mustRun(exec, 'containerd', ['--version'])]);
  const archives = [pause, box];
  const hash = createHash('sha256').update(version).update(options.snapshotter);
  for (const archive of archives) hash.update(archive);
  const name = `images-${hash.digest('hex').slice(0, 16)}`;
  const dir = join(cacheDir, name);
  if (await stat(dir).catch(() => undefined)) return { dir, built: false };
  const next = join(cacheDir, `next-${process.pid}`);
  await build(options, next, archives);
  // Its files would be there after a power cut, but empty, and nobody makes them anew under this name.
  await mustRun(exec, 'sync', ['-f', next]);
  // Another lab may have been faster: its directory is the same.
  await rename(join(next, 'root'), dir).catch((err: unknown) => {
    if (systemCode(err) !== 'ENOTEMPTY' && systemCode(err) !== 'EEXIST') throw err;
  });
  syncFolder(cacheDir);
  await rm(next, { recursive: true, force: true });
  // Of starts that were killed.
  removeAbandoned(cacheDir, (other) => other.startsWith('next-'), clock.now());
  await removeOld(options, name);
  return { dir, built: true };
}

/** Gives a node its own copy. */
export async function copyImageStore(exec: Exec, store: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await mustRun(exec, 'cp', ['-a', '--reflink=auto', store, target]);
}
